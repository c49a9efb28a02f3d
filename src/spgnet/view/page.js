// The page: what is shown, and how it is played and viewed.
const byId = (id) => document.getElementById(id);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

class App {
  constructor(motion) {
    Object.assign(this, {
      motion, moment: 0, playing: false, speed: 1, selected: motion.people[0], bySide: true,
      throughCamera: null, dirty: true, show: { follow: false, path: true, frustum: true },
    });
    this.scene = new Scene(byId("scene"), motion);
    this.inset = new ImageInset(byId("image"), motion);
    this.charts = [];
    this.addAngleChart();
    for (const chart of CHARTS) this.addChart("charts", [chart]);
    this.orbit = new Orbit();
    motion.pictures.onload = () => { this.dirty = true; };
    this.start();
  }

  start() {
    fillFacts(this.motion);
    const { times, people, fps } = this.motion, count = people.length > 1 ? people.length + " people · " : "";
    byId("summary").textContent = `${count}${times.length} frames · ${+fps.toFixed(2)} fps · ${(times[times.length - 1] - times[0]).toFixed(2)} s`;
    byId("scrub").max = times.length - 1;
    if (people.some((person) => person.uncertainty)) {
      byId("faint-note").textContent = "faint: not seen, or uncertain by over 5 cm";
      byId("band-note").hidden = false;
    }
    this.listWarnings();
    this.listPeople();
    this.wire();
    this.resize();
    this.goHome();
    this.seek(Math.max(0, this.selected.frameAt.findIndex((frame) => frame >= 0)));
    if (!reducedMotion.matches && times.length > 1) this.play(true);
    requestAnimationFrame((time) => this.tick(time));
  }

  // -- time --------------------------------------------------------------------------------------------

  seek(moment) {
    this.moment = Math.min(this.motion.times.length - 1, Math.max(0, Math.round(moment)));
    this.time = this.motion.times[this.moment];
    this.changed();
  }

  step(moments) { this.play(false); this.seek(this.moment + moments); }

  play(on) {
    this.playing = on && this.motion.times.length > 1;
    if (this.playing && this.moment === this.motion.times.length - 1) this.seek(0);
    this.before = null;
    document.body.dataset.playing = this.playing;
    byId("play").setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  tick(now) {
    if (this.playing) {
      const { times } = this.motion, passed = this.before === null ? 0 : Math.min(0.25, (now - this.before) / 1000);
      this.before = now;
      this.time += passed * this.speed;
      if (this.time > times[times.length - 1] + 1 / this.motion.fps) this.time = times[0];
      const moment = Math.max(0, lastAtOrBefore(times, this.time));
      if (moment !== this.moment) { this.moment = moment; this.changed(); }
    }
    this.animateView(now);
    if (this.dirty) { this.dirty = false; this.draw(); }
    requestAnimationFrame((time) => this.tick(time));
  }

  // Brings the controls to the moment.
  changed() {
    const { times } = this.motion, scrub = byId("scrub"), last = Math.max(1, times.length - 1);
    scrub.value = this.moment;
    scrub.style.setProperty("--done", 100 * this.moment / last + "%");
    scrub.setAttribute("aria-valuetext", `${times[this.moment].toFixed(2)} seconds, frame ${this.moment + 1} of ${times.length}`);
    byId("clock").replaceChildren(clockText(times[this.moment]), element("span", { textContent: " / " + clockText(times[times.length - 1]) }));
    byId("frame-number").textContent = `frame ${this.moment + 1} of ${times.length}`;
    document.body.dataset.frame = this.moment;
    this.follow();
    this.dirty = true;
  }

  // -- view --------------------------------------------------------------------------------------------

  // A person's pelvis in the world, smoothed over about a second, so that the view does not bob.
  smoothedPelvis(person) {
    const reach = Math.round(this.motion.fps / 2), step = Math.max(1, Math.floor(reach / 8));
    let sum = [0, 0, 0], count = 0;
    for (let m = this.moment - reach; m <= this.moment + reach; m += step) {
      const frame = person.frameAt[m] ?? -1;
      if (frame >= 0) { sum = addScaled(sum, jointAt(person, frame, 0), 1); count++; }
    }
    return count ? addScaled([0, 0, 0], sum, 1 / count) : null;
  }

  follow() {
    const pelvis = this.smoothedPelvis(this.selected);
    if (this.show.follow && pelvis && this.anchor) this.orbit.target = addScaled(this.orbit.target, subtract(pelvis, this.anchor), 1);
    if (pelvis) this.anchor = pelvis;
  }

  // A sphere around everybody, at all times.
  bounds() {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const { joints, count } of this.motion.people) {
      const row = 3 * count, step = row * Math.max(1, Math.floor(joints.length / row / 500));
      for (let frame = 0; frame < joints.length; frame += step) {
        for (let i = 0; i < row; i++) {
          low[i % 3] = Math.min(low[i % 3], joints[frame + i]);
          high[i % 3] = Math.max(high[i % 3], joints[frame + i]);
        }
      }
    }
    return { middle: addScaled(low, subtract(high, low), 0.5), radius: norm(subtract(high, low)) / 2 };
  }

  // The first view: all of the motion if it fits, or the person, who is then followed.
  goHome() {
    const { middle, radius } = this.bounds(), eye = this.selected.camera.position;
    const fits = radius < 3.5, pelvis = this.smoothedPelvis(this.selected) ?? middle;
    this.orbit.target = fits ? middle : pelvis;
    this.orbit.distance = fits ? Math.max(3, 2.7 * radius) : 4.8;
    this.orbit.yaw = Math.atan2(eye[1] - middle[1], eye[0] - middle[0]) + 0.6;
    this.orbit.pitch = 0.26;
    this.toggle("follow", !fits);
    this.setThroughCamera(false);
  }

  lookFrom(name) {
    if (name === "camera") return this.setThroughCamera(!this.throughCamera);
    const before = { ...this.orbit };
    if (name === "reset") this.goHome(); else this.preset(name);
    this.setThroughCamera(false);
    if (!reducedMotion.matches) this.move = { before, after: { ...this.orbit }, begun: null };
    this.dirty = true;
  }

  preset(name) {
    const frame = this.selected.frameAt[this.moment], pelvis = this.smoothedPelvis(this.selected);
    if (name === "top") { this.orbit.pitch = Math.PI / 2; return; }
    this.orbit.pitch = 0.05;
    if (frame < 0 || !pelvis) return;
    const left = subtract(jointAt(this.selected, frame, 4), jointAt(this.selected, frame, 1));
    const outward = name === "side" ? left : cross(left, [0, 0, 1]);
    this.orbit.yaw = Math.atan2(outward[1], outward[0]);
  }

  // Moves from one view to the next in a third of a second.
  animateView(now) {
    if (!this.move) return;
    const { before, after } = this.move;
    this.move.begun ??= now;
    const linear = Math.min(1, (now - this.move.begun) / 350), share = linear * linear * (3 - 2 * linear);
    const rotation = Math.atan2(Math.sin(after.yaw - before.yaw), Math.cos(after.yaw - before.yaw));
    if (!this.show.follow) this.orbit.target = addScaled(before.target, subtract(after.target, before.target), share);
    this.orbit.yaw = before.yaw + share * rotation;
    this.orbit.pitch = before.pitch + share * (after.pitch - before.pitch);
    this.orbit.distance = before.distance + share * (after.distance - before.distance);
    if (linear === 1) this.move = null;
    this.dirty = true;
  }

  setThroughCamera(on) {
    this.throughCamera = on;
    document.querySelector('[data-view="camera"]').setAttribute("aria-pressed", on);
    this.dirty = true;
  }

  // Before the view is changed by hand: leaves the camera's view and stops the animation.
  startManualControl() {
    this.move = null;
    if (!this.throughCamera) return;
    this.orbit.lookFromCamera(this.selected.camera, this.smoothedPelvis(this.selected) ?? this.bounds().middle);
    this.setThroughCamera(false);
  }

  toggle(name, on) {
    this.show[name] = on;
    document.querySelector(`[data-toggle="${name}"]`).setAttribute("aria-pressed", on);
    if (name === "follow" && on && this.anchor) this.orbit.target = this.anchor;
    this.dirty = true;
  }

  state() {
    const { width, height } = this.scene, { camera } = this.selected, [w, h] = camera.size;
    const scale = Math.min(width / w, height / h), offset = [(width - w * scale) / 2, (height - h * scale) / 2];
    const view = this.throughCamera ? cameraView(camera, scale, offset) : this.orbit.view(width, height);
    const center = this.throughCamera ? this.anchor ?? this.orbit.target : this.orbit.target;
    return {
      ...this.show, view, scale, offset, center, moment: this.moment, selected: this.selected, throughCamera: this.throughCamera, bySide: this.bySide,
      reach: norm(subtract(center, view.eye)), picture: this.motion.pictures.at(this.motion.times[this.moment]),
    };
  }

  draw() {
    const state = this.state(), error = this.inset.draw(state, this.scene.theme);
    this.scene.draw(state);
    for (const chart of this.charts) chart.draw(state, this.scene.theme);
    byId("error").textContent = error === null ? "" : error.toFixed(1) + " px apart";
    const absent = this.selected.frameAt[this.moment] < 0;
    byId("status").textContent = absent ? `person ${this.selected.track} is not in the picture` : "";
    document.querySelectorAll("#people li").forEach((row, i) => row.classList.toggle("away", this.motion.people[i].frameAt[this.moment] < 0));
  }

  resize() {
    this.scene.resize();
    drawPresence(byId("presence"), this.motion, this.scene.theme);
    this.showContacts();
    this.dirty = true;
  }

  showContacts() {
    const canvas = byId("contacts");
    canvas.hidden = !this.selected.contacts;
    if (!canvas.hidden) drawContacts(canvas, this.motion, this.selected, this.scene.theme);
  }

  // -- charts ------------------------------------------------------------------------------------------

  addChart(holder, definitions, first = 0) {
    const chart = new Chart(this.motion, definitions, first, (m) => this.seek(m), () => { this.dirty = true; });
    byId(holder).append(chart.root);
    this.charts.push(chart);
    this.dirty = true;
    return chart;
  }

  // A chart of the first joint angle that has none; all but the first can be removed.
  addAngleChart() {
    const angles = this.angles ??= angleCharts(this.motion), shown = this.charts.map(({ definition }) => definition);
    const chart = this.addChart("angle-charts", angles, Math.max(0, angles.findIndex((angle) => !shown.includes(angle))));
    if (!shown.length) return;
    const remove = element("button", { textContent: "×", ariaLabel: "Remove this chart", title: "Remove this chart" });
    remove.onclick = () => { this.charts.splice(this.charts.indexOf(chart), 1); chart.root.remove(); byId("add-chart").focus(); };
    chart.head.firstChild.append(remove);
  }

  // -- people and input --------------------------------------------------------------------------------

  listWarnings() {
    const { warnings } = this.motion;
    byId("warnings-card").hidden = !warnings.length;
    byId("warnings").append(...warnings.map((line) => element("li", { textContent: line })));
  }

  listPeople() {
    const { people } = this.motion;
    byId("people-card").hidden = people.length < 2;
    for (const person of people) {
      const shown = element("input", { type: "checkbox", checked: true, ariaLabel: `Show person ${person.track}` });
      const pick = element("button", { textContent: `Person ${person.track}`, title: "Follow and chart this person" });
      pick.style.setProperty("--color", `var(--p${1 + person.index % 7})`);
      shown.onchange = () => { person.visible = shown.checked; this.dirty = true; };
      pick.onclick = () => this.select(person);
      byId("people").append(element("li", {}, pick, shown));
    }
    this.select(this.selected);
    this.colorBy("side");
  }

  select(person) {
    this.selected = person;
    this.showContacts();
    this.anchor = this.smoothedPelvis(person) ?? this.anchor;
    if (this.show.follow && this.anchor) this.orbit.target = this.anchor;
    document.querySelectorAll("#people button").forEach((button, i) => button.setAttribute("aria-pressed", this.motion.people[i] === person));
    this.dirty = true;
  }

  colorBy(way) {
    this.bySide = way === "side";
    for (const button of document.querySelectorAll("[data-color]")) button.setAttribute("aria-pressed", button.dataset.color === way);
    this.dirty = true;
  }

  wire() {
    byId("play").onclick = () => this.play(!this.playing);
    byId("back").onclick = () => this.step(-1);
    byId("forward").onclick = () => this.step(1);
    byId("scrub").oninput = (event) => this.seek(+event.target.value);
    byId("speed").onchange = (event) => { this.speed = +event.target.value; };
    byId("add-chart").onclick = () => this.addAngleChart();
    byId("help-open").onclick = () => byId("help").showModal();
    for (const button of document.querySelectorAll("[data-view]")) button.onclick = () => this.lookFrom(button.dataset.view);
    for (const button of document.querySelectorAll("[data-color]")) button.onclick = () => this.colorBy(button.dataset.color);
    for (const button of document.querySelectorAll("[data-toggle]")) {
      button.onclick = () => this.toggle(button.dataset.toggle, !this.show[button.dataset.toggle]);
    }
    wirePointer(byId("scene"), this);
    wireKeys(this);
    new ResizeObserver(() => this.resize()).observe(byId("scene"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.scene.theme = new Theme(); this.resize(); });
  }
}

function clockText(seconds) {
  const hundredths = Math.round(seconds * 100), two = (value) => String(Math.floor(value)).padStart(2, "0");
  const hours = hundredths >= 360000 ? Math.floor(hundredths / 360000) + ":" : "";
  return hours + two((hundredths / 6000) % 60) + ":" + two((hundredths / 100) % 60) + "." + two(hundredths % 100);
}

function start(motion) {
  const app = new App(motion);
  window.spgnet = {
    get frame() { return app.moment; },
    get frames() { return motion.times.length; },
    get playing() { return app.playing; },
    seek: (moment) => { app.play(false); app.seek(moment); },
    play: (on = true) => app.play(on),
  };
  document.body.dataset.frames = motion.times.length;
  document.body.dataset.ready = "true";
}

loadMotion().then(start).catch((error) => {
  byId("status").textContent = "This page cannot be shown: " + error.message;
  throw error;
});
