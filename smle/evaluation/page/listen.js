// One file at a time: all its signals run in step, one of them is heard.
const player = { context: null, sources: [], gains: [], signals: [], heard: 0, place: 0, started: 0, playing: false, ticket: 0 };

const seconds = () => (player.signals.length ? player.signals[0].buffer.duration : 0);

function now() {
  if (!player.playing) return player.place;
  return Math.min(seconds(), player.place + player.context.currentTime - player.started);
}

async function decode(signal, rate) {
  const bytes = Uint8Array.from(atob(signal.flac), (character) => character.charCodeAt(0));
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
}

function minus(noisy, estimate, rate) {
  const buffer = new AudioBuffer({ length: noisy.length, numberOfChannels: 1, sampleRate: rate });
  const [a, b, out] = [noisy, estimate, buffer].map((one) => one.getChannelData(0));
  for (let i = 0; i < out.length; i += 1) out[i] = a[i] - (b[i] ?? 0);
  return buffer;
}

async function choose(name) {
  stop();
  const ticket = ++player.ticket;
  const example = report.examples.find((one) => one.name === name);
  byId("example").value = name;
  const decoded = await Promise.all(example.signals.map(async (signal) => ({
    ...signal, buffer: await decode(signal, example.sample_rate) })));
  if (ticket !== player.ticket) return;
  const noisy = decoded.find((signal) => signal.kind === "noisy");
  const residuals = noisy ? decoded.filter((signal) => signal.kind === "estimate").map((signal) => ({
    label: `residual of ${signal.label}`, kind: "residual", scores: {},
    buffer: minus(noisy.buffer, signal.buffer, example.sample_rate) })) : [];
  player.signals = [...decoded, ...residuals];
  player.place = 0;
  player.heard = Math.min(player.heard, player.signals.length - 1);
  draw(example);
  byId("listen").dataset.ready = name;
  if (document.activeElement?.classList.contains("link")) byId("listen").scrollIntoView();
}

function caption(signal) {
  return columns.filter((column) => signal.scores[column.name] !== undefined)
    .map((column) => `${column.label} ${number(signal.scores[column.name], column.decimals)}`).join("  ·  ");
}

function draw(example) {
  const columnCount = Math.max(200, Math.min(1400, byId("stack").clientWidth * Math.min(2, devicePixelRatio)));
  const spectra = player.signals.map((signal) =>
    levels(signal.buffer.getChannelData(0), example.sample_rate, Math.round(columnCount)));
  const top = Math.max(...spectra.map(loudest));
  byId("signals").replaceChildren(...player.signals.map((signal, index) => element("button", {
    type: "button", role: "radio", "aria-checked": "false", tabindex: -1, onclick: () => hear(index) },
  element("kbd", { "aria-hidden": true }, index < 9 ? index + 1 : ""), signal.label)));
  const tracks = player.signals.map((signal, index) => {
    const picture = element("canvas", { role: "img", "aria-label": `Spectrogram of ${signal.label}` });
    paint(picture, spectra[index], top);
    const khz = example.sample_rate / 2000;
    const view = element("div", { class: "view", onpointerdown: (event) => {
      hear(index);
      const box = event.currentTarget.getBoundingClientRect();
      seek(((event.clientX - box.left) / box.width) * seconds());
    } }, picture,
    ...[0.25, 0.5, 0.75].map((share) => element("span", { class: "hz", style: `top:${100 * (1 - share)}%` },
      `${Number((share * khz).toPrecision(2))} kHz`)),
    element("div", { class: "playhead" }));
    const track = element("article", { class: "track" },
      element("header", {}, element("b", {}, signal.label), element("span", { class: "scores" }, caption(signal))), view);
    const segments = example.routing[signal.label];
    if (segments) track.append(timeline(segments));
    return track;
  });
  const ruler = element("div", { class: "ruler" },
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => element("span", {}, `${number(share * seconds(), 1)} s`)));
  const about = element("p", { class: "note" }, example.about);
  byId("stack").replaceChildren(about, ...tracks, ruler);
  hear(player.heard);
  tick();
}

// Who ran when: neighbouring segments of one expert are one run.
function timeline({ experts, segments }) {
  const runs = [];
  for (const segment of segments) {
    const length = segment.stop_s - segment.start_s;
    const last = runs.at(-1);
    if (last?.expert === segment.expert) {
      last.stop_s = segment.stop_s;
      last.sure += length * segment.probability;
    } else runs.push({ ...segment, sure: length * segment.probability });
  }
  const bar = element("div", { class: "timeline", role: "img",
    "aria-label": `Experts over time: ${runs.map((run) => `${run.expert} from ${number(run.start_s, 1)} s`).join(", ")}` });
  for (const run of runs) {
    const length = run.stop_s - run.start_s;
    const span = element("span", { style:
      `flex:${length} 0 0;background:${expertColour(experts.indexOf(run.expert))}` }, run.expert);
    explain(span, `${run.expert}\n${number(run.start_s, 2)} to ${number(run.stop_s, 2)} s\nprobability ${number(run.sure / length, 2)}`);
    bar.append(span);
  }
  return bar;
}

function hear(index) {
  player.heard = index;
  [...byId("signals").children].forEach((button, at) => {
    button.setAttribute("aria-checked", at === index);
    button.tabIndex = at === index ? 0 : -1;
  });
  document.querySelectorAll(".track").forEach((track, at) => track.classList.toggle("heard", at === index));
  player.gains.forEach((gain, at) =>
    gain.gain.setTargetAtTime(at === index ? 1 : 0, player.context.currentTime, 0.008));
}

function play() {
  player.context ??= new AudioContext();
  player.context.resume();
  if (now() >= seconds() - 0.01) player.place = 0;
  player.gains = player.signals.map((_, index) => {
    const gain = player.context.createGain();
    gain.gain.value = index === player.heard ? 1 : 0;
    gain.connect(player.context.destination);
    return gain;
  });
  player.sources = player.signals.map((signal, index) => {
    const source = player.context.createBufferSource();
    source.buffer = signal.buffer;
    source.connect(player.gains[index]);
    source.start(0, player.place);
    return source;
  });
  player.started = player.context.currentTime;
  player.playing = true;
  tick();
}

function stop() {
  player.place = now();
  player.playing = false;
  player.sources.forEach((source) => source.stop());
  player.gains.forEach((gain) => gain.disconnect());
  player.sources = [];
  player.gains = [];
  tick();
}

function seek(place) {
  const playing = player.playing;
  if (playing) stop();
  player.place = Math.max(0, Math.min(seconds(), place));
  if (playing) play();
  tick();
}

const toggle = () => (player.playing ? stop() : play());

function tick() {
  if (player.playing && now() >= seconds()) { stop(); return; }
  byId("play-icon").setAttribute("d", player.playing ? "M6 4h4v16H6zM14 4h4v16h-4z" : "M7 4v16l13-8z");
  byId("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  byId("clock").textContent = `${number(now(), 1)} / ${number(seconds(), 1)} s`;
  const share = seconds() ? (100 * now()) / seconds() : 0;
  document.querySelectorAll(".playhead").forEach((head) => { head.style.left = `${share}%`; });
  if (player.playing) requestAnimationFrame(tick);
}

function listenToKeys() {
  byId("play").addEventListener("click", toggle);
  byId("player").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const onSignal = event.target.getAttribute("role") === "radio";
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const digit = Number(event.key);
    if (event.key === " " && event.target.id !== "play") toggle();
    else if (digit >= 1 && digit <= player.signals.length) hear(digit - 1);
    else if (step && onSignal) hear((player.heard + step + player.signals.length) % player.signals.length);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") seek(now() + step);
    else return;
    event.preventDefault();
    if (onSignal) byId("signals").children[player.heard].focus();
  });
}
