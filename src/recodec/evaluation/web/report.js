"use strict";
// The cards of the report: one player each, with buttons for the codecs and a picture to click into.

function setUpCard(card) {
  const choices = [...card.querySelectorAll(".choice")];
  const views = [...card.querySelectorAll(".view")];
  const scope = card.querySelector(".scope");
  const head = card.querySelector(".playhead");
  const play = card.querySelector(".play");
  const loop = card.querySelector(".loop");
  const time = card.querySelector(".time");
  const problem = card.querySelector(".problem");
  const seconds = Number(card.dataset.seconds);

  const player = new SyncedPlayer(JSON.parse(card.querySelector(".audio").textContent), show, { mayMiss: true });
  card.player = player;

  function show() {
    const share = Math.min(1, player.position / seconds);
    head.style.left = `${100 * share}%`;
    time.textContent = `${player.position.toFixed(2)} / ${seconds.toFixed(2)} s`;
    scope.setAttribute("aria-valuenow", player.position.toFixed(2));
    play.textContent = player.playing ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(player.playing));
    choices.forEach((button, i) => {
      button.setAttribute("aria-checked", String(i === player.chosen));
      button.tabIndex = i === player.chosen ? 0 : -1;
      button.disabled = !player.has(i);
    });
    views.forEach((view, i) => view.classList.toggle("shown", i === player.chosen));
  }

  // One sentence for each reason: versions that need the same file lack it together.
  function showProblems() {
    const reasons = [...new Set(player.problems.filter(Boolean))];
    const labels = (reason) => choices.filter((_, i) => player.problems[i] === reason).map((one) => one.firstChild.data);
    problem.textContent = reasons.map((reason) => `Not playable here: ${labels(reason).join(", ")}. ${reason}`).join(" ");
  }

  // The next version that can be heard, forwards or backwards.
  function neighbour(step) {
    let index = player.chosen;
    do index = (index + step + choices.length) % choices.length;
    while (!player.has(index));
    return index;
  }

  // The first load may take seconds where the page decodes, and may fail.
  async function loaded(act) {
    try {
      if (!player.buffers) time.textContent = "Loading";
      await player.load();
      showProblems();
      await act();
    } catch (error) {
      time.textContent = "";
      problem.textContent = error.message;
    }
  }

  function seekTo(position) {
    loaded(() => player.seek(position));
  }

  function seekFrom(event) {
    const box = scope.getBoundingClientRect();
    seekTo(((event.clientX - box.left) / box.width) * seconds);
  }

  play.addEventListener("click", () => loaded(() => player.toggle()));
  loop.addEventListener("change", () => player.setLoop(loop.checked));
  choices.forEach((button, i) => button.addEventListener("click", () => player.choose(i)));
  scope.addEventListener("pointerdown", seekFrom);
  card.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = Number(event.key);
    const onChoice = event.target.classList.contains("choice");
    if (event.key === " " && !onChoice && event.target !== loop && event.target !== play) loaded(() => player.toggle());
    else if (event.key >= "1" && event.key <= "9" && digit <= choices.length) player.choose(digit - 1);
    else if (onChoice && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      player.choose(neighbour(event.key === "ArrowRight" ? 1 : -1));
      choices[player.chosen].focus();
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      seekTo(player.position + (event.key === "ArrowRight" ? 0.5 : -0.5));
    } else return;
    event.preventDefault();
  });
  show();
}

document.querySelectorAll(".clip").forEach(setUpCard);
