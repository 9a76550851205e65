// A function of tensors, compiled: traced once for its shapes, then run by ONNX Runtime in a worker thread.
import * as tf from "@tensorflow/tfjs-core";
import { compile } from "../src/index.ts";

await using norm = compile(({ x }) => ({ length: tf.sqrt(tf.sum(tf.square(x!), 1)) }), { name: "length" });

const { length } = await norm.run({ x: { data: new Float32Array([3, 4, 6, 8]), shape: [2, 2] } });
console.log(`${norm.engine.name}: ${length!.data.join(", ")}`);

const file = norm.toOnnx({ x: { shape: [2, 2], dtype: "float32" } });
console.log(`as a file for any ONNX runtime: ${file.length > 100 ? "ready" : "broken"}`);
