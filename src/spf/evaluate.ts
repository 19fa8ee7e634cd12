/** The results of RFC 7208, section 2.6. */
export type SpfResult = "none" | "neutral" | "pass" | "fail" | "softfail" | "temperror" | "permerror";

/** Who sends, as SPF asks it. */
export interface SpfQuestion {
  /** The client's IPv4 or IPv6 address. */
  readonly address: string;
  /** `local@domain`: the domain whose word counts. */
  readonly sender: string;
  /** What the client called itself. */
  readonly helo: string;
}

/**
 * A DNS question: rejects with the `code` of c-ares (`ENOTFOUND` no such name, `ENODATA` no such record, anything
 * else: the servers fail). The answers have the forms of node:dns: TXT is a list of pieces, MX has `exchange` and
 * `priority`, all others are texts.
 */
export type DnsResolver = (name: string, type: string) => Promise<readonly unknown[]>;

/** RFC 7208, section 4.6.4: 20 seconds are the least that an evaluation should be given. Milliseconds. */
const PATIENCE = 20_000;

const RESULTS: readonly unknown[] = [
  "none",
  "neutral",
  "pass",
  "fail",
  "softfail",
  "temperror",
  "permerror",
] satisfies SpfResult[];

/**
 * Whether a domain lets that address send its mail: `check_host()` of RFC 7208, with its limits on look-ups and time.
 * Never throws: what cannot be found out is a temperror.
 */
export async function checkSpf(question: SpfQuestion, resolver: DnsResolver): Promise<SpfResult> {
  try {
    // Loaded when it is needed first: it is as large as the rest of the program, and most never need it.
    const { spf } = await import("mailauth/lib/spf/index.js");
    const { status } = await spf({
      sender: question.sender,
      ip: question.address,
      helo: question.helo,
      mta: "clamav-milter",
      strict: true,
      maxElapsedTime: PATIENCE,
      // The library's type leaves out that MX answers are objects.
      resolver: async (name, type) => [...((await resolver(name, type)) as string[])],
    });
    return isResult(status.result) ? status.result : "temperror";
  } catch {
    return "temperror";
  }
}

function isResult(value: unknown): value is SpfResult {
  return RESULTS.includes(value);
}
