import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "test/build.ts",
    include: ["test/**/*.test.ts"],
    // Decoders and sessions own native threads; a fork a file keeps a native crash from taking other files with it.
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
