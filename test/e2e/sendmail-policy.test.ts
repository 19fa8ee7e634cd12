import { beforeAll, describe, expect, test } from "bun:test";
import { runInPrivateNetwork } from "../lab/private-network.ts";
import type { SendResult } from "../lab/smtp-client.ts";

interface Story {
  readonly results: Readonly<Record<string, SendResult>>;
  readonly mails: readonly { readonly rcpts: readonly string[]; readonly data: string }[];
  /** Of the filter, for each set of options. */
  readonly logs: readonly string[];
}

let story: Story;

beforeAll(async () => {
  story = (await runInPrivateNetwork("test/e2e/sendmail-policy-scenario.ts", 90_000)) as Story;
}, 100_000);

function answerTo(name: string): string {
  const { code, text } = story.results[name] ?? { code: 0, text: "nothing was sent" };
  return `${code} ${text}`;
}

/** The delivered message, or undefined. */
function delivered(name: string): Story["mails"][number] | undefined {
  return story.mails.find(({ data }) => data.includes(`Subject: ${name}\r\n`));
}

/** Whether it was delivered, and with a header of ours. */
function fateOf(name: string): string {
  const found = delivered(name);
  if (!answerTo(name).startsWith("250 2.0.0 "))
    return `refused${found === undefined ? "" : " and delivered"}`;
  if (found === undefined) return "thrown away";
  return found.data.includes("X-Virus-Status: Clean\r\n") ? "scanned" : "unscanned";
}

describe("sendmail 8.17: -k, -W and --black-hole-mode", () => {
  test.each([
    ["outside, clean", "scanned"],
    ["outside, virus", "refused"],
    ["LAN, virus", "unscanned"],
    ["LAN, clean afterwards", "unscanned"],
    ["this machine, virus", "unscanned"],
    ["command line, virus", "unscanned"],
    ["whitelisted sender, virus", "unscanned"],
    ["whitelisted recipient, virus", "unscanned"],
    ["whitelisted local part, virus", "unscanned"],
    ["two recipients, one whitelisted", "scanned"],
    ["black hole", "thrown away"],
    ["black holes in other letters", "thrown away"],
    ["black hole and bob", "scanned"],
    ["black hole and another", "scanned"],
    ["pipe", "unscanned"],
    ["nobody", "refused"],
  ])("%s: %s", (name, fate) => {
    expect(fateOf(name)).toBe(fate);
  });

  test("the second message of an infected host: the text reaches the client", () => {
    const text = "Your IP (198.51.100.66) is blacklisted because your machine is infected with a virus";
    const answer = answerTo("second message of the infected host");
    expect(answer).toBe(`550 5.7.1 <someone@other.example>... ${text}`);
    expect(story.results["second message of the infected host"]?.replies).toHaveLength(1);
    expect(story.logs[0]).toMatch(/: Will blacklist 198\.51\.100\.66 for 600 seconds because of Eicar/);
    expect(story.logs[0]).toMatch(/: \w{14}: Rejected email from blacklisted IP 198\.51\.100\.66 from=/);
    expect(story.logs[0]?.match(/Will blacklist/g)).toHaveLength(1);
  });

  test("an alias that leads to nobody is no black hole: the message is scanned", () => {
    expect(story.logs[0]).toMatch(/: clean from=\S+ to=<gone@mail\.lab\.example>/);
  });

  test("each thrown away message is told of; what passes by its origin or the whitelist is not", () => {
    const sentence = 'Discarded, since all recipients (e.g. "hole@mail.lab.example") are /dev/null';
    expect(story.logs[0]).toContain(`: ${sentence} from=<someone@other.example> client=`);
    expect(story.logs[0]?.match(/Discarded, since/g)).toHaveLength(2);
    expect(story.logs[0]).not.toContain("not scanned:");
  });
});

describe("sendmail 8.17: recipients with ; and |, with -o and -l", () => {
  test("from outside that recipient is refused, the other gets the message", () => {
    const replies = story.results.semicolon?.replies.map(({ code, text }) => `${code} ${text}`);
    expect(replies?.[1]).toEndWith("Suspicious recipient address blocked");
    expect(replies?.map((reply) => reply.slice(0, 3))).toEqual(["250", "554", "250", "354", "250"]);
    expect([fateOf("semicolon"), delivered("semicolon")?.rcpts]).toEqual(["scanned", ["bob@[127.0.0.1]"]]);
    expect(story.logs[1]).toMatch(/WARNING: \w+: Suspicious recipient address blocked: '\S+a;b\S+' from=/);
  });

  test.each(["semicolon of this machine", "semicolon of the command line"])(
    "%s: refused at the end",
    (name) => {
      expect(answerTo(name)).toBe("554 5.7.1 Suspicious recipient address blocked");
      expect(story.results[name]?.replies.map(({ code }) => code)).toEqual([250, 250, 250, 354, 554]);
      expect(fateOf(name)).toBe("refused");
    },
  );

  test("what sendmail refuses itself does not come to the filter", () => {
    expect(answerTo("pipe outside")).toContain("Cannot mail directly to programs");
  });
});
