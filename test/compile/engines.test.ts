import { describe, expect, it } from "vitest";
import { chooseEngine, probeOnnx, probeTensorflow } from "../../src/compile/engines.ts";
import { SessionHost } from "../../src/compile/session.ts";
import { node, onnxModel, value } from "./write-onnx.ts";

const why = (options: object) => chooseEngine({ name: "a network", ...options });
const FASTEST = "auto: the fastest engine, and it works here";

describe.skipIf(probeOnnx() !== null)("why an engine was taken", () => {
  it("is its speed only where nothing was asked for by name", () => {
    expect(why({})).toEqual({ name: "onnx", provider: "cpu", why: FASTEST });
    expect(why({ engine: "auto", provider: "cpu" }).why).toBe(FASTEST);
    expect(why({ engine: "onnx" })).toEqual({ name: "onnx", provider: "cpu", why: "asked for" });
    expect(why({ engine: "js" })).toEqual({ name: "js", provider: null, why: "asked for" });
  });

  it("is the provider where one was named, of which nobody knows yet whether it works", () => {
    expect(why({ provider: "cuda" })).toEqual({
      name: "onnx",
      provider: "cuda",
      why: "auto: the first choice; the provider cuda was asked for",
    });
    expect(why({ engine: "js", provider: "cuda" }).why).toBe(
      "asked for; the provider cuda was asked for, and only onnx has it",
    );
  });

  it.skipIf(probeTensorflow() === null)("is what TensorFlow lacks, where that was asked for and does not work", () => {
    const taken = why({ engine: "tensorflow" });
    expect(taken.name).toBe("onnx");
    expect(taken.why).toMatch(/^tensorflow was asked for, but there is no tensorflow \(.+\)$/);
  });
});

it.skipIf(process.platform === "darwin")(
  "a provider that is not in ONNX Runtime here is refused, not replaced",
  async () => {
    const host = new SessionHost("a network", { provider: "coreml" });
    const file = onnxModel({
      nodes: [node("Neg", ["x"], ["y"])],
      inputs: [value("x", "f32", [2])],
      outputs: [value("y", "f32", [2])],
    });
    try {
      await expect(host.open(file)).rejects.toThrow(
        /^a network cannot be opened with the provider coreml: .*the provider coreml is not in the ONNX Runtime for this machine/,
      );
    } finally {
      await host.close();
    }
  },
);
