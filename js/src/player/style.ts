/** How the player looks, by day and by night. */

export const STYLE = `
:host { display: block; font: 14px/1.4 system-ui, sans-serif; --accent: #0b6bcb; --wave: #5b6672; --faint: #d5dae0;
  --rate: #c7791b; --text: #1c2126; --ground: #f6f8fa; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :host { --accent: #6db3ff; --wave: #a7b1bc; --faint: #3a424b; --rate: #e0a458; --text: #e8ecf0; --ground: #1c2126; }
}
:host([hidden]) { display: none; }
.box { color: var(--text); background: var(--ground); border-radius: 8px; padding: 10px; }
.row { display: flex; align-items: center; gap: 10px; flex-wrap: wrap; }
canvas { display: block; width: 100%; height: 84px; }
input { width: 100%; margin: 4px 0; accent-color: var(--accent); }
button { font: inherit; min-width: 76px; padding: 6px 12px; border-radius: 6px; border: 1px solid var(--wave);
  color: inherit; background: transparent; cursor: pointer; }
button:focus-visible, input:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.time { font-variant-numeric: tabular-nums; }
.rate { color: var(--rate); }
.note { flex: 1 1 10em; text-align: right; overflow-wrap: anywhere; }
`;

export const MARKUP = `
<div class="box">
  <canvas aria-hidden="true"></canvas>
  <input type="range" min="0" max="1" step="any" value="0" aria-label="Position in seconds" disabled>
  <div class="row">
    <button type="button" disabled>Play</button>
    <span class="time">0:00.0</span>
    <span class="rate"></span>
    <span class="note" role="status"></span>
  </div>
</div>
`;

/** A time as minutes:seconds. */
export function clock(seconds: number): string {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const rest = (tenths % 600) / 10;
  return `${Math.floor(tenths / 600)}:${rest < 10 ? "0" : ""}${rest.toFixed(1)}`;
}
