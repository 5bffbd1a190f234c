"use strict";
// The listening test: trials in random order, versions behind letters in random order, answers as JSON.

const data = JSON.parse(document.getElementById("data").textContent);
const WORDS = ["Bad", "Poor", "Fair", "Good", "Excellent"];
const LETTERS = "ABCDEFGHIJKL";
const KEYS = "1234567890-=";
const element = (id) => document.getElementById(id);
const STORE = `recodec-listening-test-${data.test}`;
const session = { rater: "", started: "", ratings: [], at: -1, trials: shuffled(data.trials) };
let trial = null;

function shuffled(list) {
  const order = [...list];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor((crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function word(score) {
  return WORDS[Math.min(4, Math.floor(score / 20))];
}

function begin(event) {
  event.preventDefault();
  session.rater = element("rater").value.trim();
  if (!session.rater) return;
  session.started = new Date().toISOString();
  enter();
  nextTrial();
}

function enter() {
  element("start").hidden = true;
  element("trial").hidden = false;
}

function warn(event) {
  event.preventDefault();
}

// ---- a page that is loaded again goes on where it was ---------------------------------------------

function keep() {
  const state = {
    rater: session.rater, started: session.started, ratings: session.ratings, at: session.at,
    order: session.trials.map((t) => t.trial), stimuli: trial ? trial.stimuli : null,
  };
  try {
    localStorage.setItem(STORE, JSON.stringify(state));
    removeEventListener("beforeunload", warn);
  } catch {
    addEventListener("beforeunload", warn); // a browser that keeps nothing: ask before it is lost
  }
}

function kept() {
  try {
    const state = JSON.parse(localStorage.getItem(STORE));
    const known = new Set(data.trials.map((t) => t.trial));
    return state && state.order.length === known.size && state.order.every((id) => known.has(id)) ? state : null;
  } catch {
    return null;
  }
}

function goOn(state) {
  const byId = Object.fromEntries(data.trials.map((t) => [t.trial, t]));
  Object.assign(session, {
    rater: state.rater, started: state.started, ratings: state.ratings, at: state.at - 1,
    trials: state.order.map((id) => byId[id]),
  });
  enter();
  nextTrial(state.stimuli);
}

function offerToGoOn() {
  const state = kept();
  if (state === null) return;
  element("again").hidden = false;
  element("again-rater").textContent = state.rater;
  element("again-number").textContent = Math.min(state.at + 1, data.trials.length);
  element("go-on").addEventListener("click", () => goOn(state));
}

// ---- one trial -------------------------------------------------------------------------------

function nextTrial(before = null) {
  session.at += 1;
  if (session.at === session.trials.length) return finish();
  const about = session.trials[session.at];
  const sounds = Object.fromEntries(about.stimuli.map((s) => [s.token, s]));
  const fresh = () => shuffled(about.stimuli).map((s) => ({ token: s.token, score: null, heard: false }));
  const rows = before !== null && before.every((s) => s.token in sounds) ? before : fresh();
  const stimuli = rows.map((s) => sounds[s.token]);
  trial = {
    about,
    stimuli: rows,
    started: performance.now(),
    player: new SyncedPlayer([about.reference, ...stimuli.map((s) => s.audio)], show),
  };
  element("number").textContent = session.at + 1;
  element("progress").value = session.at;
  element("wave").setAttribute("d", about.waveform);
  element("next").textContent = session.at + 1 === session.trials.length ? "Finish" : "Next";
  element("stimuli").replaceChildren(...trial.stimuli.map(row));
  element("whole").disabled = true;
  rows.forEach((stimulus, index) => stimulus.score !== null && setScore(index, stimulus.score));
  show();
  keep();
  scrollTo(0, 0);
}

function row(stimulus, index) {
  const item = document.createElement("li");
  const letter = LETTERS[index];
  item.innerHTML =
    `<button type="button" aria-label="Version ${letter}">${letter}<kbd>${KEYS[index]}</kbd></button>` +
    `<div class="scale"><input type="range" min="0" max="100" value="50" step="1" aria-label="Quality of version ${letter}">` +
    `<div class="words" aria-hidden="true">${WORDS.map((w) => `<span>${w}</span>`).join("")}</div></div>` +
    `<div class="value"><b>–</b><small>not rated</small></div>`;
  const slider = item.querySelector("input");
  item.querySelector("button").addEventListener("click", () => choose(index + 1));
  const rate = () => setScore(index, Number(slider.value));
  slider.addEventListener("input", rate);
  slider.addEventListener("pointerup", rate);
  return item;
}

function setScore(index, score) {
  const stimulus = trial.stimuli[index];
  stimulus.score = Math.min(100, Math.max(0, score));
  const item = element("stimuli").children[index];
  const slider = item.querySelector("input");
  slider.value = stimulus.score;
  slider.setAttribute("aria-valuetext", `${stimulus.score}, ${word(stimulus.score)}`);
  item.classList.add("rated");
  item.querySelector(".value").innerHTML = `<b>${stimulus.score}</b><small>${word(stimulus.score)}</small>`;
  show();
  keep();
}

async function choose(index) {
  trial.player.choose(index);
  if (!trial.player.playing) await trial.player.play();
}

function show() {
  const player = trial.player;
  const playing = player.playing && player.chosen > 0 ? trial.stimuli[player.chosen - 1] : null;
  if (playing !== null && !playing.heard) {
    playing.heard = true;
    keep();
  }
  const seconds = trial.about.seconds;
  element("head").style.left = `${(100 * player.position) / seconds}%`;
  element("loop").hidden = player.to === null;
  element("loop").style.left = `${(100 * player.from) / seconds}%`;
  element("loop").style.width = `${(100 * ((player.to ?? seconds) - player.from)) / seconds}%`;
  element("time").textContent = `${player.position.toFixed(1)} / ${seconds.toFixed(1)} s`;
  element("play").textContent = player.playing ? "Pause" : "Play";
  element("reference").setAttribute("aria-pressed", String(player.chosen === 0));
  [...element("stimuli").children].forEach((item, i) => item.classList.toggle("chosen", player.chosen === i + 1));
  const unheard = trial.stimuli.filter((s) => !s.heard).length;
  const unrated = trial.stimuli.filter((s) => s.score === null).length;
  element("missing").textContent = unheard ? `${unheard} still to hear` : unrated ? `${unrated} still to rate` : "";
  element("next").disabled = unheard + unrated > 0;
}

function leaveTrial() {
  if (element("next").disabled) return;
  trial.player.pause();
  trial.stimuli.forEach((stimulus, index) =>
    session.ratings.push({
      trial: trial.about.trial, stimulus: stimulus.token, score: stimulus.score, letter: LETTERS[index],
      position: session.at, seconds: Math.round((performance.now() - trial.started) / 1000),
    }),
  );
  nextTrial();
}

// ---- the picture: click to go, drag to loop ----------------------------------------------------

function secondsAt(event) {
  const box = element("scope").getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  return share * trial.about.seconds;
}

let dragFrom = null;

async function dropped(event) {
  if (dragFrom === null) return;
  const [from, to] = [dragFrom, secondsAt(event)].sort((a, b) => a - b);
  dragFrom = null;
  await trial.player.load();
  if (to - from < 0.15) trial.player.seek(from);
  else {
    trial.player.setLoop(true, from, to);
    element("whole").disabled = false;
  }
}

// ---- the end -----------------------------------------------------------------------------------

function finish() {
  trial = null;
  keep();
  element("trial").hidden = true;
  element("end").hidden = false;
  const answers = {
    format: data.format, version: data.version, kind: "answers", test: data.test, rater: session.rater,
    started: session.started, finished: new Date().toISOString(), ratings: session.ratings,
  };
  const link = element("save");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(answers, null, 2) + "\n"], { type: "application/json" }));
  link.download = `answers-${session.rater.replace(/[^\w-]+/g, "_")}-${data.test}.json`;
  link.addEventListener("click", saved);
  link.focus();
}

function saved() {
  removeEventListener("beforeunload", warn);
  try {
    localStorage.removeItem(STORE);
  } catch {
    // it kept nothing
  }
  if (data.completion) element("completion").hidden = false;
}

function onKey(event) {
  if (element("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const chosen = trial.player.chosen;
  const index = KEYS.indexOf(event.key);
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
  if (event.key === " ") trial.player.toggle();
  else if (event.key === "r" || event.key === "R") choose(0);
  else if (index >= 0 && index < trial.stimuli.length) choose(index + 1);
  else if (event.key in steps && chosen > 0) {
    const score = trial.stimuli[chosen - 1].score ?? 50;
    setScore(chosen - 1, score + steps[event.key] * (event.shiftKey ? 10 : 1));
  } else if (event.key === "Enter") leaveTrial();
  else return;
  event.preventDefault();
}

element("who").addEventListener("submit", begin);
element("play").addEventListener("click", () => trial.player.toggle());
element("reference").addEventListener("click", () => choose(0));
element("next").addEventListener("click", leaveTrial);
element("whole").addEventListener("click", () => {
  trial.player.setLoop(true);
  element("whole").disabled = true;
});
element("scope").addEventListener("pointerdown", (event) => {
  element("scope").setPointerCapture(event.pointerId);
  dragFrom = secondsAt(event);
});
element("scope").addEventListener("pointerup", dropped);
document.addEventListener("keydown", onKey);
offerToGoOn();
