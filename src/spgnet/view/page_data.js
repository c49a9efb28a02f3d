// The embedded data: whole numbers as base64 of deflated int32, the first row and then differences of rows.
// Gives the numbers times a unit, row after row.
async function unpack(text, columns, unit, Kind = Float32Array) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const steps = new Int32Array(await new Response(stream).arrayBuffer());
  const values = new Kind(steps.length);
  const row = new Int32Array(columns);
  for (let i = 0; i < steps.length; i++) {
    row[i % columns] += steps[i];
    values[i] = row[i % columns] * unit;
  }
  return values;
}

async function loadMotion() {
  const data = JSON.parse(document.getElementById("motion-data").textContent);
  const times = (await unpack(data.times, 1, 1e-4, Float64Array)).map((time) => data.start + time);
  const people = [], count = data.names.length, angles = data.angles.reduce((n, { columns }) => n + Object.keys(columns).length, 0);
  for (const [index, person] of data.people.entries()) {
    people.push({
      index,
      track: person.track,
      weights: person.weights,
      camera: data.cameras[person.camera],
      frameAt: await unpack(person.at, 1, 1, Int32Array),
      count,
      joints: await unpack(person.joints, 3 * count, 1e-3),
      confidence: await unpack(person.confidence, count, 0.01),
      pixels: await unpack(person.pixels, 2 * count, 0.1),
      contacts: person.contacts && await unpack(person.contacts, 2, 1, Uint8Array),
      angles: await unpack(person.angles, angles, 1, Int32Array),
      angleErrors: person.angle_errors && await unpack(person.angle_errors, angles, 1, Int32Array),
      uncertainty: person.uncertainty && await unpack(person.uncertainty, count, 1e-3),
      visible: true,
    });
  }
  return { ...data, times, people, sides: data.names.map(sideOf), pictures: new VideoImages(data.images) };
}

function sideOf(name) {
  return name.startsWith("left_") ? "left" : name.startsWith("right_") ? "right" : "middle";
}

// Images of the video, decoded when they are needed; some are kept.
class VideoImages {
  constructor(times) {
    this.times = times;
    this.encoded = times.length ? JSON.parse(document.getElementById("picture-data").textContent) : [];
    this.decoded = new Map();
    this.onload = () => {};
  }

  // The newest picture at a time, or the one before it while it is decoded.
  at(time) {
    if (!this.times.length) return null;
    const index = Math.max(0, lastAtOrBefore(this.times, time + 1e-3));
    for (const near of [index, index + 1, index + 2]) this.request(near);
    this.shown = this.decoded.get(index)?.image ?? this.shown ?? null;
    return this.shown;
  }

  request(index) {
    if (index >= this.encoded.length || this.decoded.has(index)) return;
    const entry = { image: null };
    this.decoded.set(index, entry);
    const image = new Image();
    image.onload = () => { entry.image = image; this.onload(); };
    image.src = "data:image/jpeg;base64," + this.encoded[index];
    if (this.decoded.size > 60) this.decoded.delete(this.decoded.keys().next().value);
  }
}

// Index of the last value that is not above a limit, -1 if there is none; values increase.
function lastAtOrBefore(values, limit) {
  let low = -1, high = values.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle; else high = middle;
  }
  return low;
}

// One person's joint at one of their frames, in the world.
const jointAt = (person, frame, joint) => {
  const i = 3 * (frame * person.count + joint);
  return [person.joints[i], person.joints[i + 1], person.joints[i + 2]];
};

// A joint's opacity: faint where it was not seen or where its position is uncertain. opacity.py has the same
// function and says why.
function jointOpacity(person, frame, joint) {
  const ramp = (value, low, high) => Math.min(1, Math.max(0, (value - low) / (high - low))), i = frame * person.count + joint;
  const unsure = person.uncertainty && joint > 0 ? ramp(person.uncertainty[i], 0.05, 0.25) : 0;
  return 0.24 + 0.76 * Math.min(ramp(person.confidence[i], 0.1, 0.5), 1 - unsure * unsure * (3 - 2 * unsure));
}

// Stands for an angle that cannot be seen. page.py has the same number.
const NO_ANGLE = -32768;

// A joint angle in degrees, or one standard deviation of it; null where it cannot be seen.
function angleAt(person, frame, column, tenths = person.angles) {
  const columns = 3 * person.count * tenths.length / person.joints.length;
  const value = tenths[frame * columns + column];
  return value === NO_ANGLE ? null : value / 10;
}

const pelvisHeight = (motion, person, moment) => jointAt(person, person.frameAt[moment], 0)[2] - motion.floor;

const fromCamera = (person, moment) => subtract(jointAt(person, person.frameAt[moment], 0), person.camera.position);
const pelvisDistance = (motion, person, moment) => norm(fromCamera(person, moment));

// One standard deviation of the pelvis's distance from the camera in metres, null where there is none.
const distanceError = (motion, person, moment) => person.uncertainty && person.uncertainty[person.frameAt[moment] * person.count];

// How far an error of that distance moves the pelvis up or down. It moves along its viewing ray. A floor that
// was found under the feet of the same motion moves with it: then heights above it change as distances do.
function heightError(motion, person, moment) {
  if (!person.uncertainty) return null;
  const up = person.camera.calibrated ? fromCamera(person, moment)[2] : pelvisHeight(motion, person, moment);
  return distanceError(motion, person, moment) * Math.abs(up) / (pelvisDistance(motion, person, moment) || 1);
}

// Speed of the pelvis in m/s between moments about 0.1 s before and after, null where the person comes or goes.
function pelvisSpeed(motion, person, moment) {
  const reach = Math.max(1, Math.round(motion.fps / 10));
  let before = moment, after = moment;
  while (before > 0 && moment - before < reach && person.frameAt[before - 1] >= 0) before--;
  while (after < person.frameAt.length - 1 && after - moment < reach && person.frameAt[after + 1] >= 0) after++;
  if (before === after) return null;
  const way = subtract(jointAt(person, person.frameAt[after], 0), jointAt(person, person.frameAt[before], 0));
  return norm(way) / (motion.times[after] - motion.times[before]);
}

const subtract = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const addScaled = (a, b, t) => [a[0] + b[0] * t, a[1] + b[1] * t, a[2] + b[2] * t];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const norm = (a) => Math.hypot(a[0], a[1], a[2]);
const normalize = (a) => addScaled([0, 0, 0], a, 1 / (norm(a) || 1));
