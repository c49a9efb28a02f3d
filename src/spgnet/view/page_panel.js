// The side panel: the image with both skeletons, the charts, the facts, the people.
class ImageInset {
  constructor(canvas, motion) { Object.assign(this, { canvas, motion, context: canvas.getContext("2d") }); }

  draw(state, theme) {
    const { selected, moment, picture, bySide } = state, [w, h] = selected.camera.size;
    const width = this.canvas.clientWidth || 300, scale = Math.min(width / w, Math.max(240, 0.8 * width) / h);
    const ratio = Math.min(2, window.devicePixelRatio || 1), c = this.context;
    const height = Math.round(h * scale);
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.style.height = height + "px";
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.translate((width - w * scale) / 2, 0);
    c.fillStyle = theme.of("stage-low");
    c.fillRect(0, 0, w * scale, height);
    if (picture) { c.drawImage(picture, 0, 0, w * scale, height); c.globalAlpha = 0.25; c.fillStyle = "#000"; c.fillRect(0, 0, w * scale, height); c.globalAlpha = 1; }
    c.lineCap = c.lineJoin = "round";
    let shown = null;
    for (const person of this.motion.people) {
      const frame = person.frameAt[moment];
      if (!person.visible || frame < 0 || person.camera !== selected.camera) continue;
      const error = this.drawPerson(person, frame, scale, theme, bySide, Boolean(picture));
      if (person === selected) shown = error;
    }
    return shown;
  }

  // Draws one person and gives the mean distance of the two skeletons in pixels, over the joints that were detected.
  drawPerson(person, frame, scale, theme, bySide, onPicture) {
    const c = this.context, { parents, sides, names } = this.motion, view = cameraView(person.camera);
    const own = theme.person(person, this.motion.people.length);
    const detected = names.map((_, j) => [person.pixels[2 * (frame * person.count + j)], person.pixels[2 * (frame * person.count + j) + 1]]);
    const projected = names.map((_, j) => view.project(jointAt(person, frame, j)));
    const confidence = (j) => person.confidence[frame * person.count + j];
    const color = (j) => {
      const plain = theme.joint(sides[j], own, bySide);
      return onPicture ? theme.mix(plain, "#ffffff", 0.25) : plain;
    };
    parents.forEach((parent, j) => {
      if (parent < 0) return;
      c.strokeStyle = color(j);
      c.lineWidth = 1.9;
      c.globalAlpha = 0.25 + 0.75 * Math.min(1, 2 * Math.min(confidence(j), confidence(parent)));
      c.beginPath(); c.moveTo(detected[parent][0] * scale, detected[parent][1] * scale); c.lineTo(detected[j][0] * scale, detected[j][1] * scale); c.stroke();
    });
    c.setLineDash([3, 3]);
    c.strokeStyle = onPicture ? "#ffffff" : theme.of("ink");
    c.lineWidth = 1.2; c.globalAlpha = 0.8;
    c.beginPath();
    parents.forEach((parent, j) => {
      if (parent < 0 || !projected[j] || !projected[parent]) return;
      c.moveTo(projected[parent][0] * scale, projected[parent][1] * scale); c.lineTo(projected[j][0] * scale, projected[j][1] * scale);
    });
    c.stroke();
    c.setLineDash([]);
    c.globalAlpha = 1;
    names.forEach((_, j) => {
      c.beginPath(); c.arc(detected[j][0] * scale, detected[j][1] * scale, 2.4, 0, 2 * Math.PI);
      c.fillStyle = color(j); c.globalAlpha = confidence(j) > 0 ? 1 : 0.35; c.fill();
    });
    c.globalAlpha = 1;
    const gaps = names.map((_, j) => j).filter((j) => confidence(j) > 0 && projected[j])
      .map((j) => Math.hypot(detected[j][0] - projected[j][0], detected[j][1] - projected[j][1]));
    return gaps.length ? gaps.reduce((a, b) => a + b) / gaps.length : null;
  }
}

const CHARTS = [
  { name: "Pelvis height", symbol: " m", digits: 2, lines: [{ value: pelvisHeight, error: heightError }] },
  { name: "Distance from the camera", symbol: " m", digits: 2, lines: [{ value: pelvisDistance, error: distanceError }] },
  { name: "Pelvis speed", symbol: " m/s", digits: 2, floor: 0, lines: [{ value: pelvisSpeed }] },
];

// Charts of the joint angles, one of which is shown at a time.
function angleCharts(motion) {
  return motion.angles.map(({ name, columns }) => ({
    name, symbol: "°", digits: 0, floor: /knee|elbow/i.test(name) ? 0 : undefined,
    lines: Object.entries(columns).map(([side, column]) => ({
      side: side === "middle" ? undefined : side,
      value: (_, person, moment) => angleAt(person, person.frameAt[moment], column),
      error: (_, person, moment) => person.angleErrors && angleAt(person, person.frameAt[moment], column, person.angleErrors) })),
  }));
}

// A value over time around the present moment, in a band of its standard deviation where there is one; dragging
// on it moves through time. Of several definitions the user chooses one.
class Chart {
  constructor(motion, definitions, first, seek, redraw) {
    Object.assign(this, { motion });
    const title = definitions.length === 1 ? element("span", { textContent: definitions[0].name })
      : element("select", { ariaLabel: "Joint angle" }, ...definitions.map(({ name }) => element("option", { textContent: name })));
    if (definitions.length > 1) title.selectedIndex = first;
    title.addEventListener("change", () => { this.define(definitions[title.selectedIndex]); redraw(); });
    this.head = element("p", {}, element("span", {}, title));
    this.canvas = element("canvas", { role: "img" });
    this.define(definitions[first]);
    this.root = element("div", { className: "chart" }, this.head, this.canvas);
    const move = (event) => {
      if (!event.buttons) return;
      const share = (event.clientX - this.canvas.getBoundingClientRect().left) / this.canvas.clientWidth;
      const [from, to] = this.held;
      seek(lastAtOrBefore(motion.times, from + Math.min(1, Math.max(0, share)) * (to - from) + 1e-6));
    };
    this.canvas.addEventListener("pointerdown", (event) => { this.held = this.span; this.canvas.setPointerCapture(event.pointerId); move(event); });
    this.canvas.addEventListener("pointermove", (event) => this.held && move(event));
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => { this.held = null; });
  }

  define(definition) {
    Object.assign(this, { definition, ranges: new Map() });
    this.values = definition.lines.map((line) => element("span", { className: "value " + (line.side ?? "") }));
    this.head.replaceChildren(this.head.firstChild, ...this.values);
    this.canvas.ariaLabel = definition.name + " over time";
  }

  value(line, person, moment) { return person.frameAt[moment] < 0 ? null : line.value(this.motion, person, moment); }

  // One standard deviation of a value, 0 where it has none.
  error(line, person, moment) { return line.error?.(this.motion, person, moment) ?? 0; }

  // The same scale for the whole clip.
  range(person) {
    if (!this.ranges.has(person)) {
      const { times } = this.motion, step = Math.max(1, Math.floor(times.length / 2000)), all = [];
      for (let m = 0; m < times.length; m += step) for (const line of this.definition.lines) {
        const value = this.value(line, person, m);
        if (value !== null) for (const sign of [-1, 1]) all.push(value + sign * this.error(line, person, m));
      }
      let low = this.definition.floor ?? all.reduce((a, b) => Math.min(a, b), Infinity);
      let high = all.reduce((a, b) => Math.max(a, b), -Infinity);
      if (!all.length) [low, high] = [0, 1];
      if (!(high - low > 0.05)) { low -= 0.05; high = low + 0.1; }
      this.ranges.set(person, [low, high + 0.06 * (high - low)]);
    }
    return this.ranges.get(person);
  }

  window(now) {
    const { times } = this.motion, first = times[0], last = times[times.length - 1];
    if (last - first <= 12) return [first, Math.max(last, first + 0.1)];
    const from = Math.min(Math.max(now - 5, first), last - 10);
    return [from, from + 10];
  }

  draw({ selected, moment }, theme) {
    const { times } = this.motion, ratio = Math.min(2, window.devicePixelRatio || 1), c = this.canvas.getContext("2d");
    const [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.canvas.width = w * ratio; this.canvas.height = h * ratio;
    c.scale(ratio, ratio);
    this.span = this.held ?? this.window(times[moment]);
    const [from, to] = this.span, [low, high] = this.range(selected);
    const x = (time) => 1 + (w - 2) * (time - from) / (to - from), y = (value) => h - 4 - (h - 19) * (value - low) / (high - low);
    c.strokeStyle = theme.of("grid"); c.lineWidth = 1;
    c.beginPath(); c.moveTo(0, h - 0.5); c.lineTo(w, h - 0.5); c.moveTo(x(times[moment]), 0); c.lineTo(x(times[moment]), h); c.stroke();
    c.fillStyle = theme.of("muted"); c.font = "10px system-ui, sans-serif"; c.textBaseline = "top";
    c.fillText(high.toFixed(this.definition.digits), 2, 0);
    if (low < 0 && high > 0) {  // where it has both signs: its zero
      c.setLineDash([2, 3]); c.beginPath(); c.moveTo(0, y(0)); c.lineTo(w, y(0)); c.stroke(); c.setLineDash([]);
      c.fillText("0", 2, Math.max(12, y(0) - 11));
    }
    const first = Math.max(0, lastAtOrBefore(times, from)), last = lastAtOrBefore(times, to + 1e-6);
    const step = Math.max(1, Math.ceil((last - first) / 400));
    this.definition.lines.forEach((line, index) => {
      c.strokeStyle = c.fillStyle = line.side ? theme.of(line.side) : theme.of("ink");
      c.lineWidth = 1.6; c.lineJoin = "round";
      for (const part of this.parts(line, selected, first - first % step, last, step)) {
        const trace = (moments, sign) => moments.forEach(({ m, value, error }) => c.lineTo(x(times[m]), y(value + sign * error)));
        if (part.some(({ error }) => error)) {
          c.beginPath(); trace(part, 1); trace([...part].reverse(), -1);
          c.globalAlpha = 0.2; c.fill(); c.globalAlpha = 1;
        }
        c.beginPath(); trace(part, 0); c.stroke();
      }
      const now = this.value(line, selected, moment);
      if (now !== null) { c.beginPath(); c.arc(x(times[moment]), y(now), 3.5, 0, 2 * Math.PI); c.fill(); }
      this.values[index].textContent = now === null ? "–" : this.text(now, this.error(line, selected, moment));
    });
  }

  text(value, error) {
    const { digits, symbol } = this.definition;
    return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1") + (error ? " ± " + error.toFixed(digits) : "") + symbol;
  }

  // A line's values and their errors at some moments, in parts that are not interrupted.
  parts(line, person, first, last, step) {
    const parts = [[]];
    for (let m = first; m <= last; m += step) {
      const value = this.value(line, person, m);
      if (value === null) parts.push([]); else parts[parts.length - 1].push({ m, value, error: this.error(line, person, m) });
    }
    return parts;
  }
}

// Thin lines over the scrub bar's width: where each person is, fainter where the detections are uncertain.
function drawPresence(canvas, motion, theme) {
  const ratio = Math.min(2, window.devicePixelRatio || 1), w = canvas.clientWidth, c = canvas.getContext("2d");
  const count = motion.times.length, columns = Math.max(1, Math.min(w, count)), height = Math.min(4, 6 / motion.people.length);
  canvas.width = w * ratio; canvas.height = 6 * ratio;
  c.scale(ratio, ratio);
  motion.people.forEach((person, row) => {
    c.fillStyle = theme.person(person, motion.people.length);
    for (let k = 0; k < columns; k++) {
      const frame = person.frameAt[Math.floor((k + 0.5) * count / columns)];
      if (frame < 0) continue;
      let confidence = 0;
      for (let j = 0; j < person.count; j++) confidence += person.confidence[frame * person.count + j] / person.count;
      c.globalAlpha = 0.4 + 0.6 * confidence * confidence;
      c.fillRect(k * w / columns, row * height, w / columns + 0.3, Math.max(0.8, height - 0.8));
    }
  });
}

// Two thin lines below it, the left foot's above the right one's: where a person's feet are on the floor.
function drawContacts(canvas, motion, person, theme) {
  const ratio = Math.min(2, window.devicePixelRatio || 1), w = canvas.clientWidth, c = canvas.getContext("2d");
  const count = motion.times.length, columns = Math.max(1, Math.min(w, count)), steps = [0, 0];
  canvas.width = w * ratio; canvas.height = 8 * ratio;
  c.scale(ratio, ratio);
  for (const [row, foot] of [1, 0].entries()) {
    c.fillStyle = theme.of(foot ? "left" : "right");
    for (let k = 0, before = 1; k < columns; k++) {
      const frame = person.frameAt[Math.floor((k + 0.5) * count / columns)];
      const on = frame >= 0 ? person.contacts[2 * frame + foot] : 0;
      if (on) c.fillRect(k * w / columns, 4.5 * row, w / columns + 0.3, 3);
      if (on && !before) steps[foot]++;
      before = on;
    }
  }
  canvas.title = "Feet on the floor";
  canvas.setAttribute("aria-label", `Feet on the floor: ${steps[1]} contacts of the left foot and ${steps[0]} of the right`);
}

function fillFacts(motion) {
  const { times, people, cameras } = motion, list = document.getElementById("facts");
  const span = times[times.length - 1] - times[0];
  const distinct = (values) => [...new Set(values)].filter(Boolean).join("; ") || "–";
  const position = cameras[0].position.map((v) => v.toFixed(2)).join(", ");
  const facts = {
    Frames: times.length, "Frame rate": +motion.fps.toFixed(2) + " fps", Duration: span.toFixed(2) + " s",
    People: people.length, Weights: distinct(people.map((p) => p.weights)),
    Camera: distinct(cameras.map((camera) => camera.source)),
    Image: cameras[0].size.join(" × ") + " px",
    "Focal length": cameras[0].focal.map((f) => f.toFixed(0)).join(", ") + " px",
    "Camera at": cameras.length > 1 ? cameras.length + " places" : position + " m",
    ...(people.some((p) => p.contacts) && { "Feet on the floor": "the lines under the time" }),
    World: "metres, z up", Floor: motion.floor === 0 ? "z = 0" : "z = " + motion.floor.toFixed(2) + " m, under the lowest joint",
  };
  for (const [name, value] of Object.entries(facts)) {
    list.append(element("dt", { textContent: name }), element("dd", { textContent: value }));
  }
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
