/** The table of sizes and times. */

import { byId, DECODER_NAMES, make, rateSaid } from "./dom.js";
import { keyOf, type Lab } from "./lab.js";

/** Write the table anew. Links to files are made once, and those of an earlier recording are let go. */
export class Table {
  readonly #links = new Map<number, string>();
  #stem = "recording";

  /** Begin with another recording. */
  clear(name: string): void {
    for (const url of this.#links.values()) URL.revokeObjectURL(url);
    this.#links.clear();
    this.#stem = name.replace(/\.[^.]*$/, "") || "recording";
  }

  /** Show what is there. */
  show(lab: Lab): void {
    const rows = lab.rates.map((kbps) => this.#row(lab, kbps));
    byId("rows").replaceChildren(...rows);
  }

  #row(lab: Lab, kbps: number | null): HTMLTableRowElement {
    const row = document.createElement("tr");
    const coded = lab.coded.get(kbps);
    const speed = (seconds: number): string => `${seconds.toFixed(2)} s (${(lab.durationS / seconds).toFixed(1)} ×)`;
    const times = lab.model.decoders
      .map((decoder) => [DECODER_NAMES[decoder], lab.decoded.get(keyOf({ kbps, decoder }))] as const)
      .map(([name, decoded]) => (decoded ? `${name}: ${speed(decoded.seconds)}` : ""));
    const size = coded?.file.byteLength ?? 0;
    row.append(make("th", rateSaid(kbps), { scope: "row" }));
    const cells: [string, string][] = [
      ["File", coded ? `${size.toLocaleString("en")} bytes` : "–"],
      ["Bitrate", coded ? `${((8 * size) / 1000 / lab.durationS).toFixed(2)} kbps` : "–"],
      ["Encoding", coded?.seconds ? speed(coded.seconds) : "–"],
    ];
    for (const [label, text] of cells) row.append(make("td", text, { "data-label": label }));
    const decoding = make("td", "", { "data-label": "Decoding" });
    for (const text of times.filter(Boolean)) decoding.append(make("div", text));
    if (decoding.childElementCount === 0) decoding.textContent = "–";
    row.append(decoding, this.#keep(kbps, coded?.file));
    return row;
  }

  /** A link to a file; not to one that was opened, for whoever opened it has it. */
  #keep(kbps: number | null, file: ArrayBuffer | undefined): HTMLTableCellElement {
    const cell = make("td", "", { "data-label": "Download" });
    if (file === undefined || kbps === null) {
      cell.textContent = "–";
      return cell;
    }
    const url = this.#links.get(kbps) ?? URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
    this.#links.set(kbps, url);
    const download = `${this.#stem}_${kbps}kbps.ecdc`;
    cell.append(make("a", "Download", { href: url, download, "aria-label": `Download the file of ${kbps} kbps` }));
    return cell;
  }
}
