// The 3D drawing: floor, shadows, paths, cameras and bodies, the far ones first.
const RADII = [0.05, 0.058, 0.047, 0.034, 0.058, 0.047, 0.034, 0.055, 0.05, 0.036, 0.04, 0.044, 0.036, 0.028, 0.044, 0.036, 0.028,
  0.03, 0.022, 0.02, 0.03, 0.022, 0.02];
const TRUNK = [11, 14, 1, 4];
const FADE = 8;

class Theme {
  constructor() {
    const style = getComputedStyle(document.documentElement);
    this.of = (name) => style.getPropertyValue("--" + name).trim();
    this.halo = this.of("halo");
    this.cache = new Map();
  }

  // A mix of two colors, "#rrggbb", as the canvas wants it.
  mix(from, to, share) {
    const key = from + to + share.toFixed(2);
    if (!this.cache.has(key)) {
      const part = (color, i) => parseInt(color.slice(1 + 2 * i, 3 + 2 * i), 16);
      const mixed = [0, 1, 2].map((i) => Math.round(part(from, i) * (1 - share) + part(to, i) * share));
      this.cache.set(key, "#" + mixed.map((v) => v.toString(16).padStart(2, "0")).join(""));
    }
    return this.cache.get(key);
  }

  person(person, people) { return this.of(people > 1 ? "p" + (1 + person.index % 7) : "p0"); }

  joint(side, own, bySide) {
    if (bySide) return side === "middle" ? own : this.of(side);
    return side === "middle" ? own : this.mix(own, side === "left" ? "#ffffff" : "#000000", 0.28);
  }
}

class Scene {
  constructor(canvas, motion) {
    Object.assign(this, { canvas, motion, context: canvas.getContext("2d"), theme: new Theme() });
  }

  resize() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.width = Math.max(1, this.canvas.clientWidth);
    this.height = Math.max(1, this.canvas.clientHeight);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.ratio = ratio;
  }

  draw(state) {
    const c = this.context;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, this.width, this.height);
    c.lineCap = c.lineJoin = "round";
    this.state = state;
    this.view = state.view;
    this.items = [];
    const present = this.motion.people.filter((p) => p.visible && p.frameAt[state.moment] >= 0);
    if (state.throughCamera) this.drawImage(state);
    this.drawGrid(state.center);
    for (const person of this.motion.people) if (person.visible && state.path) this.drawPath(person);
    for (const person of present) this.drawShadow(person, person.frameAt[state.moment]);
    for (const person of present) this.addPerson(person, person.frameAt[state.moment]);
    if (state.frustum && !state.throughCamera) for (const camera of this.motion.cameras) this.addFrustum(camera);
    this.items.sort((a, b) => b.depth - a.depth);
    for (const item of this.items) { c.globalAlpha = item.alpha; item.paint(c); }
    c.globalAlpha = 1;
    if (this.motion.people.length > 1) for (const person of present) this.drawName(person, person.frameAt[state.moment]);
    if (!state.throughCamera) this.drawAxes();
  }

  // The video frame, or its outline, behind the scene.
  drawImage({ scale, offset, selected, picture }) {
    const c = this.context, [w, h] = selected.camera.size;
    const box = [offset[0], offset[1], w * scale, h * scale];
    if (picture) {
      c.drawImage(picture, ...box);
      c.globalAlpha = 0.35; c.fillStyle = this.theme.halo; c.fillRect(...box);
    }
    c.globalAlpha = 0.5; c.strokeStyle = this.theme.of("grid"); c.lineWidth = 1; c.strokeRect(...box);
    c.globalAlpha = 1;
  }

  drawGrid(center) {
    const c = this.context, floor = this.motion.floor, bins = Array.from({ length: 8 }, () => []);
    const [cx, cy] = [Math.round(center[0]), Math.round(center[1])];
    for (let i = -FADE; i <= FADE; i++) {
      for (let j = -FADE; j < FADE; j += 0.5) {
        const far = Math.hypot(i, j + 0.25) / FADE;
        if (far >= 1) continue;
        const bin = bins[Math.floor((1 - far) * bins.length)];
        bin.push([[cx + i, cy + j, floor], [cx + i, cy + j + 0.5, floor]], [[cx + j, cy + i, floor], [cx + j + 0.5, cy + i, floor]]);
      }
    }
    c.strokeStyle = this.theme.of("grid");
    c.lineWidth = 1;
    bins.forEach((lines, index) => {
      c.globalAlpha = 0.5 * (index + 1) / bins.length;
      c.beginPath();
      for (const [a, b] of lines) this.trace(this.view.line(a, b));
      c.stroke();
    });
    c.globalAlpha = 1;
  }

  trace(line) {
    if (!line) return;
    this.context.moveTo(line[0][0], line[0][1]);
    this.context.lineTo(line[1][0], line[1][1]);
  }

  // The path of the pelvis on the floor, half a minute to both sides: the past is solid, the future faint.
  drawPath(person) {
    const { moment } = this.state, { times, floor } = this.motion, c = this.context;
    const first = Math.max(0, lastAtOrBefore(times, times[moment] - 30)), last = lastAtOrBefore(times, times[moment] + 30);
    const step = Math.max(1, Math.ceil((last - first) / 700));
    const on = (m) => (person.frameAt[m] < 0 ? null : this.projectToFloor(jointAt(person, person.frameAt[m], 0)));
    c.strokeStyle = this.theme.person(person, this.motion.people.length);
    for (const [from, to, alpha, width] of [[moment, last, 0.22, 2], [first, moment, 0.75, 2.5]]) {
      c.beginPath();
      let before = null;
      for (let m = from; m <= to; m = m < to ? Math.min(to, m + step) : to + 1) {
        const now = on(m);
        if (before && now) this.trace(this.view.line(before, now));
        before = now;
      }
      c.globalAlpha = alpha; c.lineWidth = width; c.stroke();
    }
    c.globalAlpha = 1;
  }

  projectToFloor(point) { return [point[0], point[1], this.motion.floor]; }

  drawShadow(person, frame) {
    const c = this.context, under = this.view.project(this.projectToFloor(jointAt(person, frame, 0)));
    if (!under) return;
    const scale = this.view.focal[0] / under[2], away = 4 * this.width;
    c.save();
    c.translate(-away, 0); // Only the blurred shadow of the lines falls onto the canvas, not the lines.
    c.shadowColor = this.theme.of("shadow") + "66";
    c.shadowOffsetX = away * this.ratio;
    c.shadowBlur = 0.1 * scale * this.ratio;
    c.lineWidth = Math.max(1.5, 0.11 * scale);
    c.beginPath();
    this.motion.parents.forEach((parent, joint) => {
      if (parent < 0) return;
      this.trace(this.view.line(this.projectToFloor(jointAt(person, frame, parent)), this.projectToFloor(jointAt(person, frame, joint))));
    });
    c.stroke();
    c.restore();
    if (person === this.state.selected && this.motion.people.length > 1) this.drawRing(person, frame);
  }

  drawRing(person, frame) {
    const c = this.context, middle = this.projectToFloor(jointAt(person, frame, 0));
    const at = (k) => [middle[0] + 0.38 * Math.cos(k * Math.PI / 20), middle[1] + 0.38 * Math.sin(k * Math.PI / 20), middle[2]];
    c.beginPath();
    for (let k = 0; k < 40; k++) this.trace(this.view.line(at(k), at(k + 1)));
    c.strokeStyle = this.theme.person(person, this.motion.people.length);
    c.lineWidth = 2; c.stroke();
  }

  add(depth, alpha, paint) { this.items.push({ depth, alpha, paint }); }

  addPerson(person, frame) {
    const { motion, view, theme } = this;
    const own = theme.person(person, motion.people.length), bySide = this.state.bySide;
    const joints = motion.names.map((_, j) => view.project(jointAt(person, frame, j)));
    const opacity = motion.names.map((_, j) => jointOpacity(person, frame, j));
    const radius = (j) => Math.max(1.2, RADII[j] * view.focal[0] / joints[j][2]);
    const color = (j) => this.fade(theme.joint(motion.sides[j], own, bySide), joints[j][2]);
    if (joints.some((j) => !j)) return;
    this.addTrunk(joints, own, Math.min(...TRUNK.map((j) => opacity[j])));
    motion.parents.forEach((parent, j) => {
      if (parent < 0 || j === 10) return;
      const [a, b] = [joints[parent], joints[j]];
      const start = Math.min(radius(j) * 1.22, radius(parent) * 1.05);
      this.add((a[2] + b[2]) / 2, Math.min(opacity[j], opacity[parent]), (c) => this.capsule(c, a, b, start, radius(j), color(j)));
    });
    for (const j of [2, 3, 5, 6, 12, 13, 15, 16]) {
      this.add(joints[j][2] - 0.1, opacity[j], (c) => this.ball(c, joints[j], radius(j) * 1.12, color(j)));
    }
    this.addHead(person, frame, this.fade(own, joints[10][2]), Math.min(opacity[9], opacity[10]));
  }

  // Far bodies fade a little into the background.
  fade(color, depth) {
    const share = Math.min(0.45, Math.max(0, (depth / this.state.reach - 1.15) * 0.35));
    return this.theme.mix(color, this.theme.halo, Math.round(share * 20) / 20);
  }

  addTrunk(joints, color, opacity) {
    const depth = TRUNK.reduce((sum, j) => sum + joints[j][2] / 4, 0) + 0.03;
    this.add(depth, 0.3 * opacity, (c) => {
      c.beginPath();
      for (const j of TRUNK) c.lineTo(joints[j][0], joints[j][1]);
      c.closePath();
      c.fillStyle = color;
      c.fill();
    });
  }

  // A head between nose and vertex, and the nose to see where it faces.
  addHead(person, frame, color, opacity) {
    const nose = jointAt(person, frame, 9), top = jointAt(person, frame, 10), neck = jointAt(person, frame, 8);
    const axis = normalize(subtract(top, neck)), height = Math.max(0.12, dot(subtract(top, nose), axis));
    const middle = addScaled(top, axis, -0.78 * height);
    const skull = this.view.project(middle), tip = this.view.project(addScaled(middle, normalize(subtract(nose, middle)), 0.75 * height));
    if (!skull || !tip) return;
    const scale = this.view.focal[0] / skull[2];
    this.add(skull[2] - 0.03, opacity, (c) => this.ball(c, skull, 0.78 * height * scale, color));
    this.add(tip[2] - 0.03, opacity, (c) => this.ball(c, tip, 0.2 * height * scale, color));
  }

  // A limb: round ends, light from above and left, and an outline that separates it from what is behind.
  capsule(c, a, b, start, end, color) {
    const angle = Math.atan2(b[1] - a[1], b[0] - a[0]), side = angle + Math.PI / 2;
    c.beginPath();
    c.arc(a[0], a[1], start, side, side + Math.PI);
    c.arc(b[0], b[1], end, side + Math.PI, side + 2 * Math.PI);
    c.closePath();
    const lit = Math.cos(side) * -0.5 + Math.sin(side) * -0.86 > 0 ? 1 : -1;
    const wide = Math.max(start, end), nx = Math.cos(side) * wide * lit, ny = Math.sin(side) * wide * lit;
    const light = c.createLinearGradient(a[0] + nx, a[1] + ny, a[0] - nx, a[1] - ny);
    light.addColorStop(0, this.theme.mix(color, "#ffffff", 0.3));
    light.addColorStop(0.45, color);
    light.addColorStop(1, this.theme.mix(color, "#000000", 0.22));
    this.fillWithHalo(c, light);
  }

  ball(c, at, radius, color) {
    c.beginPath();
    c.arc(at[0], at[1], radius, 0, 2 * Math.PI);
    const light = c.createRadialGradient(at[0] - radius * 0.35, at[1] - radius * 0.45, radius * 0.1, at[0], at[1], radius);
    light.addColorStop(0, this.theme.mix(color, "#ffffff", 0.42));
    light.addColorStop(0.6, color);
    light.addColorStop(1, this.theme.mix(color, "#000000", 0.2));
    this.fillWithHalo(c, light);
  }

  fillWithHalo(c, fill) {
    c.strokeStyle = this.theme.halo;
    c.lineWidth = 2.4;
    c.stroke();
    c.fillStyle = fill;
    c.fill();
  }

  addFrustum(camera) {
    const view = cameraView(camera), [w, h] = camera.size, deep = 0.55;
    const corner = (x, y) => {
      const ray = [(x - camera.center[0]) / camera.focal[0], (y - camera.center[1]) / camera.focal[1]];
      return addScaled(addScaled(addScaled(camera.position, view.right, ray[0] * deep), view.down, ray[1] * deep), view.forward, deep);
    };
    const [a, b, c, d] = [corner(0, 0), corner(w, 0), corner(w, h), corner(0, h)];
    const [up, left, right] = [corner(w / 2, -0.16 * h), corner(0.35 * w, -0.03 * h), corner(0.65 * w, -0.03 * h)];
    const eye = camera.position;
    const ends = [[eye, a], [eye, b], [eye, c], [eye, d], [a, b], [b, c], [c, d], [d, a], [left, up], [up, right], [right, left]];
    for (const [from, to] of ends) {
      const line = this.view.line(from, to);
      if (!line) continue;
      this.add((line[0][2] + line[1][2]) / 2, 0.85, (context) => {
        context.strokeStyle = this.theme.of("muted");
        context.lineWidth = 1.6;
        context.beginPath(); this.trace(line); context.stroke();
      });
    }
  }

  drawName(person, frame) {
    const c = this.context, at = this.view.project(addScaled(jointAt(person, frame, 10), [0, 0, 1], 0.16));
    if (!at) return;
    c.font = "600 12px system-ui, sans-serif";
    c.textAlign = "center"; c.textBaseline = "middle";
    c.fillStyle = this.theme.person(person, this.motion.people.length);
    c.beginPath(); c.arc(at[0], at[1], 10, 0, 2 * Math.PI); c.fill();
    c.fillStyle = this.theme.of("card");
    c.fillText(String(person.track), at[0], at[1] + 0.5);
  }

  // The world's axes in the corner.
  drawAxes() {
    const c = this.context, [x0, y0] = [38, this.height - 34];
    const axes = [0, 1, 2].map((i) => {
      const color = this.theme.of("axis-" + "xyz"[i]);
      const axis = [0, 0, 0]; axis[i] = 1;
      return { color, name: "xyz"[i], x: dot(axis, this.view.right), y: dot(axis, this.view.down), z: dot(axis, this.view.forward) };
    });
    c.font = "600 11px system-ui, sans-serif"; c.textAlign = "center"; c.textBaseline = "middle"; c.lineWidth = 2;
    for (const { color, name, x, y } of axes.sort((p, q) => q.z - p.z)) {
      c.strokeStyle = c.fillStyle = color;
      c.beginPath(); c.moveTo(x0, y0); c.lineTo(x0 + 20 * x, y0 + 20 * y); c.stroke();
      if (Math.hypot(x, y) > 0.25) c.fillText(name, x0 + 28 * x, y0 + 28 * y);
    }
  }
}
