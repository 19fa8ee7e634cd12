import { failure } from "../../scripts/debian/failure.ts";

/** Takes text as it comes and gives it out by lines. */
export interface LineBuffer {
  push(text: string): void;
  /** No more will come, and why. */
  close(reason: string): void;
  /**
   * The next line without its end.
   * @throws code `READ_DEADLINE` after `deadline` milliseconds, `CONNECTION_CLOSED` when no more can come
   */
  next(deadline: number): Promise<string>;
}

/** Makes an empty buffer of lines. */
export function lineBuffer(): LineBuffer {
  let buffer = "";
  let closed: string | undefined;
  let wake = (): void => undefined;
  const take = (): string | undefined => {
    const end = buffer.indexOf("\n");
    if (end < 0) return undefined;
    const line = buffer.slice(0, end).replace(/\r$/, "");
    buffer = buffer.slice(end + 1);
    return line;
  };
  const next = (deadline: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        wake = () => undefined;
        reject(failure("READ_DEADLINE", `no line within ${deadline} ms, only ${JSON.stringify(buffer)}`));
      }, deadline);
      wake = () => {
        const line = take();
        if (line === undefined && closed === undefined) return;
        clearTimeout(timer);
        wake = () => undefined;
        if (line !== undefined) resolve(line);
        else reject(failure("CONNECTION_CLOSED", `${closed}${buffer === "" ? "" : ` after ${buffer}`}`));
      };
      wake();
    });
  return {
    push: (text) => {
      buffer += text;
      wake();
    },
    close: (reason) => {
      closed ??= reason;
      wake();
    },
    next,
  };
}
