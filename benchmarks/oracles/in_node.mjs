// Runs in Node.js: the Khronos validator and the loaders of three.js.
// in_node.mjs REQUEST ANSWER, both JSON: "files" lists .glb, .gltf and .bvh files, and "times" when to look.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [request, answer] = process.argv.slice(2);
const wanted = JSON.parse(fs.readFileSync(request));
const require = createRequire(path.join(wanted.modules, "from-here.js"));
const load = (name) => import(pathToFileURL(path.join(wanted.modules, "node_modules", name)));
globalThis.self = globalThis;
globalThis.ProgressEvent ??= class {};
const validator = require("gltf-validator");
const THREE = await load("three/build/three.module.js");
const { GLTFLoader } = await load("three/examples/jsm/loaders/GLTFLoader.js");
const { BVHLoader } = await load("three/examples/jsm/loaders/BVHLoader.js");

function play(root, clip) {
  const mixer = new THREE.AnimationMixer(root);
  mixer.clipAction(clip).play();
  return wanted.times.map((time) => {
    mixer.setTime(Math.min(time, clip.duration - 1e-9));
    root.updateMatrixWorld(true);
    const places = {};
    root.traverse((node) => {
      if (node.isBone) places[node.userData.name ?? node.name] = new THREE.Vector3().setFromMatrixPosition(node.matrixWorld).toArray();
    });
    return places;
  });
}

const found = { three: THREE.REVISION, validator: validator.version(), files: [] };
for (const file of wanted.files) {
  const bytes = fs.readFileSync(file);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  if (file.endsWith(".bvh")) {
    const { skeleton, clip } = new BVHLoader().parse(bytes.toString());
    found.files.push({ frames: play(skeleton.bones[0], clip), duration: clip.duration });
    continue;
  }
  const { issues } = await validator.validateBytes(new Uint8Array(buffer));
  const gltf = await new GLTFLoader().parseAsync(file.endsWith(".gltf") ? bytes.toString() : buffer, "");
  found.files.push({
    issues: issues.messages.map((issue) => issue.code),
    frames: play(gltf.scene, gltf.animations[0]),
    duration: gltf.animations[0].duration,
    skinned: (() => { let n = 0; gltf.scene.traverse((node) => { n += node.isSkinnedMesh ? 1 : 0; }); return n; })(),
  });
}
fs.writeFileSync(answer, JSON.stringify(found));
