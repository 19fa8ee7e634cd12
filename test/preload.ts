import { setDefaultTimeout } from "bun:test";

/** Every wait in a test has a deadline of its own; this one is for a test that hangs nevertheless. Milliseconds. */
setDefaultTimeout(120_000);
