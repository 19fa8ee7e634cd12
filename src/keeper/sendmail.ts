/** How a mail was taken. */
export type SendResult =
  | { readonly kind: "sent" }
  /** It may go another time. */
  | { readonly kind: "later"; readonly reason: string }
  /** It never will: the mail itself or its recipients are at fault. */
  | { readonly kind: "never"; readonly reason: string };

/** The sending program has so long for one mail. Milliseconds. */
const PATIENCE = 120_000;
/** Milliseconds for what it said last. */
const LAST_WORDS = 1000;
/** Bytes of its output that the log shows. */
const SHOWN = 300;
/** sysexits.h: EX_DATAERR, EX_NOUSER, EX_NOHOST. */
const HOPELESS: ReadonlySet<number> = new Set([65, 67, 68]);

/**
 * Gives a mail to sendmail (decisions 6): an argument vector, a fixed environment, the null sender, a deadline.
 * @param recipients such as `mailableAddress` passes
 * @param mail header and body with LF line ends
 * @param patience milliseconds
 */
export async function sendByProgram(
  program: string,
  recipients: readonly string[],
  mail: Uint8Array,
  patience = PATIENCE,
): Promise<SendResult> {
  const begun = performance.now();
  try {
    const child = Bun.spawn([program, "-i", "-f", "<>", "--", ...recipients], {
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", ...zone() },
      stdin: mail,
      stdout: "ignore",
      stderr: "pipe",
      timeout: patience,
      killSignal: "SIGKILL",
    });
    const words = beginning(child.stderr);
    const status = await child.exited;
    // What it has left running in the background may hold its standard error open.
    const said = await Promise.race([words, Bun.sleep(LAST_WORDS).then(() => "")]);
    if (status === 0) return { kind: "sent" };
    const hung = child.signalCode === "SIGKILL" && performance.now() - begun >= patience;
    const ended =
      child.signalCode === null ? `ended with status ${status}` : `was ended by ${child.signalCode}`;
    const how = hung ? `was ended after ${patience / 1000} s, for it hung` : ended;
    const reason = `${program} ${how}${said === "" ? "" : `: ${said}`}`;
    return { kind: HOPELESS.has(status) && child.signalCode === null ? "never" : "later", reason };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "later", reason: `${program} cannot be started: ${reason}` };
  }
}

function zone(): Record<string, string> {
  const { TZ } = process.env;
  return TZ === undefined ? {} : { TZ };
}

/** The first words, as one line; the rest is read, too, so that nobody waits for a reader. */
async function beginning(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    if (text.length < SHOWN) text += decoder.decode(piece, { stream: true });
  }
  return text.replaceAll(/\s+/g, " ").trim().slice(0, SHOWN);
}
