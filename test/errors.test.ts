import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PipeError, reasonOf } from "../src/errors.ts";

it("what the system answered is said in words, with its code; other errors with their name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "affect-pipe-"));
  const failed = (path: string) => readFile(path).then(String, reasonOf);
  expect(await failed(join(folder, "none"))).toBe("there is no such file (ENOENT)");
  expect(await failed(folder)).toBe("it is a folder, not a file (EISDIR)");
  expect(await failed(join(import.meta.filename, "none"))).toBe("a part of its path is a file, not a folder (ENOTDIR)");
  const denied = Object.assign(new Error("EACCES: permission denied, open 'x'"), { code: "EACCES", syscall: "open" });
  expect(reasonOf(denied)).toBe("permission denied (EACCES)");
  expect(reasonOf(Object.assign(new Error("odd"), { code: "EODD", syscall: "open" }))).toBe("Error: odd");
  expect(reasonOf(new RangeError("7"))).toBe("RangeError: 7");
  expect(reasonOf(new PipeError("One.", { hint: "two\n  three" }))).toBe("One. two three");
  await rm(folder, { recursive: true });
});
