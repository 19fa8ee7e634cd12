import { EXIT, type ExitCode, StartError } from "../cli/start-error.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import { CHANNEL_FD, ROLES } from "../ipc/role.ts";
import { closeDescriptor, socketPair } from "../os/libc.ts";
import { roleEnvironment } from "./role-environment.ts";

/** What a supervisor in the background needs of the process that started it. */
export interface StartOrder {
  /** The command line, without the program's name. */
  readonly argv: readonly string[];
  /** The directory that relative paths in it are meant in. */
  readonly cwd: string;
  /** TMPDIR of the caller, if set. */
  readonly tmpdir?: string;
}

/** Milliseconds until the background process must accept mail or tell why not, besides what it waits for clamd. */
const START_PATIENCE = 120_000;
/** Milliseconds that one whose start failed has to end. */
const END_PATIENCE = 5_000;

/**
 * Starts the supervisor in the background: a session of its own, no terminal, nothing open, `/` as its directory.
 * Returns when it accepts mail.
 * @param waiting milliseconds that it may wait for clamd
 * @throws StartError what the supervisor failed with
 */
export async function startInBackground(order: StartOrder, waiting: number): Promise<void> {
  const patience = START_PATIENCE + waiting;
  const [ours, theirs] = socketPair();
  const supervisor = Bun.spawn({
    cmd: ["/proc/self/exe", ROLES.supervisor],
    argv0: "clamav-milter",
    env: roleEnvironment("supervisor", process.env),
    cwd: "/",
    detached: true,
    stdio: ["ignore", "ignore", "ignore", theirs],
  });
  closeDescriptor(theirs);
  const outcome = Promise.withResolvers<void>();
  const channel = await openChannel(ours, {
    onMessage: (message) => settle(message, outcome),
    onEnd: () => {},
  });
  channel.send({ type: "order", ...order });
  const timer = setTimeout(() => {
    supervisor.kill("SIGKILL");
    outcome.reject(failure(`does not accept mail after ${patience / 1000} s`));
  }, patience);
  supervisor.exited.then((code) =>
    // What it said before it ended comes first.
    setTimeout(() => outcome.reject(failure(`ended with status ${code} before it accepted mail`)), 200),
  );
  try {
    await outcome.promise;
    supervisor.unref();
  } catch (error) {
    channel.close();
    // Whoever tries again at once is not to meet the rest of this one.
    await Promise.race([supervisor.exited, Bun.sleep(END_PATIENCE)]);
    throw error;
  } finally {
    clearTimeout(timer);
    channel.close();
  }
}

function settle(message: unknown, outcome: { resolve(): void; reject(error: Error): void }): void {
  if (typeof message !== "object" || message === null) return;
  const { type, code, exitCode, text } = message as Record<string, unknown>;
  if (type === "accepting") outcome.resolve();
  else if (type === "failed")
    outcome.reject(new StartError(String(code), exitCode as ExitCode, String(text)));
}

function failure(what: string): StartError {
  return new StartError("SUPERVISOR_FAILED", EXIT.SOFTWARE, `the supervisor ${what}`);
}

/** Milliseconds that the starter has to read why the start failed. */
const ANSWER_PATIENCE = 1_000;

/** The background supervisor's end: what it was ordered, and how it answers. */
export interface StartAnswer {
  readonly order: StartOrder;
  accepting(): void;
  failed(error: StartError): Promise<void>;
}

/** Waits for the order; the process that gives it is alive until it is answered. */
export async function receiveOrder(): Promise<StartAnswer> {
  const order = Promise.withResolvers<StartOrder>();
  const read = Promise.withResolvers<void>();
  let answered = false;
  const channel: Channel = await openChannel(CHANNEL_FD, {
    onMessage: (message) => order.resolve(message as StartOrder),
    onEnd: () => {
      read.resolve();
      order.reject(new Error("the starter is gone"));
      // Who ended the command before it could say that it has started wants nothing to be left of it.
      if (!answered) process.kill(process.pid, "SIGTERM");
    },
  });
  return {
    order: await order.promise,
    accepting: () => {
      answered = true;
      channel.send({ type: "accepting" });
      channel.close();
    },
    failed: async ({ code, exitCode, message }) => {
      answered = true;
      channel.send({ type: "failed", code, exitCode, text: message });
      // The starter closes when it has read it.
      await Promise.race([read.promise, Bun.sleep(ANSWER_PATIENCE)]);
    },
  };
}
