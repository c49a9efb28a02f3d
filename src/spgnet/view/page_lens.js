// Views: from the world to the screen. Camera axes are x right, y down, z forward.
const NEAR = 0.05;

class View {
  constructor(eye, right, down, forward, focal, center, lens = null) {
    Object.assign(this, { eye, right, down, forward, focal, center, lens });
  }

  // World to camera frame, metres.
  local(point) {
    const p = subtract(point, this.eye);
    return [dot(p, this.right), dot(p, this.down), dot(p, this.forward)];
  }

  // Camera frame to screen.
  image([x, y, z]) {
    let n = [x / z, y / z];
    if (this.lens) n = this.lens(n);
    return [n[0] * this.focal[0] + this.center[0], n[1] * this.focal[1] + this.center[1], z];
  }

  // World to screen: x, y and depth; null behind the viewer.
  project(point) {
    const p = this.local(point);
    return p[2] > NEAR ? this.image(p) : null;
  }

  // The visible part of a line on the screen, or null.
  line(a, b) {
    let p = this.local(a), q = this.local(b);
    if (p[2] <= NEAR && q[2] <= NEAR) return null;
    const cut = (from, to) => addScaled(from, subtract(to, from), (NEAR * 1.01 - from[2]) / (to[2] - from[2]));
    if (p[2] <= NEAR) p = cut(p, q); else if (q[2] <= NEAR) q = cut(q, p);
    return [this.image(p), this.image(q)];
  }
}

// Lens distortion of a normalised point, as OpenCV defines it (geometry/distortion.py has the same ones):
// Brown's, the rational one or that of a fisheye. Beyond the image's corners Brown's goes on linearly, because
// its polynomials may fold there.
function lensDistortion(camera) {
  if (camera.fisheye) return fisheyeDistortion(camera.radial);
  const [k1, k2, k3, k4 = 0, k5 = 0, k6 = 0] = camera.radial, [p1, p2] = camera.tangential;
  const corner = [0, 1].map((i) => Math.max(camera.center[i], camera.size[i] - camera.center[i]) / camera.focal[i]);
  const limit = 1.15 * Math.hypot(...corner);
  return ([x, y]) => {
    const radius = Math.hypot(x, y), over = Math.max(1, radius / limit);
    x /= over; y /= over;
    const r2 = x * x + y * y, radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)));
    return [over * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)),
      over * (y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y))];
  };
}

function fisheyeDistortion([k1, k2, k3, k4]) {
  return ([x, y]) => {
    const radius = Math.hypot(x, y), angle = Math.atan(radius), t2 = angle * angle;
    const factor = 1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)));
    const scale = radius > 1e-9 ? angle / radius * factor : 1;
    return [x * scale, y * scale];
  };
}

// Through a calibrated camera, its image of the given scale with its corner at an offset.
function cameraView(camera, scale = 1, offset = [0, 0]) {
  const r = camera.rotation;
  const center = camera.center.map((c, i) => c * scale + offset[i]);
  return new View(camera.position, r.slice(0, 3), r.slice(3, 6), r.slice(6, 9), camera.focal.map((f) => f * scale), center, lensDistortion(camera));
}

const HALF_FIELD_OF_VIEW = 17.5 * Math.PI / 180;

// A viewer who orbits a target.
class Orbit {
  constructor() { Object.assign(this, { target: [0, 0, 1], yaw: 0, pitch: 0.2, distance: 5 }); }

  get outward() {
    const c = Math.cos(this.pitch);
    return [c * Math.cos(this.yaw), c * Math.sin(this.yaw), Math.sin(this.pitch)];
  }

  view(width, height) {
    const forward = addScaled([0, 0, 0], this.outward, -1);
    const right = [-Math.sin(this.yaw), Math.cos(this.yaw), 0];
    const focal = 0.5 * Math.min(height, width * 1.15) / Math.tan(HALF_FIELD_OF_VIEW);
    return new View(addScaled(this.target, this.outward, this.distance), right, cross(forward, right), forward,
      [focal, focal], [width / 2, height / 2]);
  }

  rotate(right, up) {
    this.yaw -= right;
    this.pitch = Math.min(Math.PI / 2, Math.max(-1.4, this.pitch + up));
  }

  zoom(factor) { this.distance = Math.min(80, Math.max(0.4, this.distance * factor)); }

  // Moves the target so that it follows a drag in pixels.
  pan(view, dx, dy) {
    const scale = this.distance / view.focal[0];
    this.target = addScaled(addScaled(this.target, view.right, -dx * scale), view.down, -dy * scale);
  }

  // Looks from a camera's position along its axis; the target is as deep as a point.
  lookFromCamera(camera, point) {
    const forward = camera.rotation.slice(6, 9);
    this.distance = Math.max(0.5, dot(subtract(point, camera.position), forward));
    this.target = addScaled(camera.position, forward, this.distance);
    this.pitch = Math.asin(Math.max(-1, Math.min(1, -forward[2])));
    this.yaw = Math.atan2(-forward[1], -forward[0]);
  }
}
