import { join } from "node:path";
import { boundArgv, FIXED_ENV } from "../debian/child.ts";
import type { RunFigures } from "./figures.ts";
import type { Held, HoldOrder, LoadOrder, Order, ServeOrder } from "./orders.ts";

/** The load generator's process. */
export interface Generator {
  readonly pid: number;
  /** Files that it may have open. */
  readonly limit: number;
  load(order: Omit<LoadOrder, "do">): Promise<RunFigures>;
  hold(order: Omit<HoldOrder, "do">): Promise<Held>;
  serve(order: Omit<ServeOrder, "do">): Promise<RunFigures>;
  release(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it; it ends with this process, however that ends. @throws Error when it ends before its time */
export async function startGenerator(): Promise<Generator> {
  const child = Bun.spawn(boundArgv([process.execPath, join(import.meta.dir, "generator-main.ts")]), {
    env: FIXED_ENV,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = linesOf(child.stdout);
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done === true || value === undefined) throw new Error("the load generator has ended");
    return JSON.parse(value) as T;
  };
  const ask = <T>(order: Order): Promise<T> => {
    child.stdin.write(`${JSON.stringify(order)}\n`);
    child.stdin.flush();
    return answer<T>();
  };
  const { limit } = await answer<{ limit: number }>();
  return {
    pid: child.pid,
    limit,
    load: (order) => ask({ do: "load", ...order }),
    hold: (order) => ask({ do: "hold", ...order }),
    serve: (order) => ask({ do: "serve", ...order }),
    release: async () => {
      await ask({ do: "release" });
    },
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
