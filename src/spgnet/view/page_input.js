// Touch, mouse and keyboard.
function wirePointer(canvas, app) {
  const pointers = new Map();
  const pinch = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, distance: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  const pan = (dx, dy) => app.orbit.pan(app.orbit.view(app.scene.width, app.scene.height), dx, dy);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragging");
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last || pointers.size > 2) return;
    const now = { x: event.clientX, y: event.clientY };
    if (now.x === last.x && now.y === last.y) return;
    app.startManualControl();
    if (pointers.size === 2) {
      const before = pinch();
      pointers.set(event.pointerId, now);
      const after = pinch();
      app.orbit.zoom(before.distance / Math.max(1, after.distance));
      pan(after.x - before.x, after.y - before.y);
    } else {
      pointers.set(event.pointerId, now);
      if (event.shiftKey || event.buttons & 6) pan(now.x - last.x, now.y - last.y);
      else app.orbit.rotate((now.x - last.x) * 0.008, (now.y - last.y) * 0.008);
    }
    app.dirty = true;
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, (event) => {
      pointers.delete(event.pointerId);
      if (!pointers.size) canvas.classList.remove("dragging");
    });
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    app.startManualControl();
    app.orbit.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * (event.ctrlKey ? 0.01 : 0.002)));
    app.dirty = true;
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
}

const VIEW_KEYS = { 1: "front", 2: "side", 3: "top", 4: "camera", 0: "reset" };
const TOGGLE_KEYS = { f: "follow", p: "path", c: "frustum" };
const ROTATE_KEYS = { a: [0.1, 0], d: [-0.1, 0], w: [0, 0.1], s: [0, -0.1] };

// What a key does, or null if the page has no use for it.
function actionOf(event, app) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, last = app.motion.times.length - 1;
  const jump = event.shiftKey ? Math.round(app.motion.fps) : 1;
  if (key === " ") return () => app.play(!app.playing);
  if (key === "ArrowLeft") return () => app.step(-jump);
  if (key === "ArrowRight") return () => app.step(jump);
  if (key === "Home") return () => app.step(-last);
  if (key === "End") return () => app.step(last);
  if (key === "?") return () => byId("help").showModal();
  if (key in VIEW_KEYS) return () => app.lookFrom(VIEW_KEYS[key]);
  if (key in TOGGLE_KEYS) return () => app.toggle(TOGGLE_KEYS[key], !app.show[TOGGLE_KEYS[key]]);
  if (key in ROTATE_KEYS) return () => { app.startManualControl(); app.orbit.rotate(...ROTATE_KEYS[key]); };
  if (key === "+" || key === "=") return () => { app.startManualControl(); app.orbit.zoom(0.9); };
  if (key === "-") return () => { app.startManualControl(); app.orbit.zoom(1 / 0.9); };
  return null;
}

// Whether keys of one character work outside the 3D view, where those who speak to their computer press them
// without meaning to. Pages in a sandbox cannot remember it.
function wireShortcuts(box) {
  try {
    box.checked = localStorage.getItem("spgnet-shortcuts") !== "off";
    box.onchange = () => localStorage.setItem("spgnet-shortcuts", box.checked ? "on" : "off");
  } catch { box.checked = true; }
}

function wireKeys(app) {
  wireShortcuts(byId("shortcuts"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const on = event.target;
    if (on.tagName === "SELECT") return;
    if (event.key.length === 1 && event.key !== " " && !byId("shortcuts").checked && on !== byId("scene")) return;
    if ((event.key === " " || event.key === "Enter") && (on.tagName === "BUTTON" || on.type === "checkbox")) return;
    const action = actionOf(event, app);
    if (!action) return;
    event.preventDefault();
    action();
    app.dirty = true;
  });
}
