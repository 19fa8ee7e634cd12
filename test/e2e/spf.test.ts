import { beforeAll, expect, test } from "bun:test";
import { runInPrivateNetwork } from "../lab/private-network.ts";

interface Report {
  readonly answers: Readonly<Record<string, { readonly answer: string; readonly changes: string[] }>>;
  readonly mails: readonly {
    readonly to: readonly string[];
    readonly subject: string;
    readonly attached: string;
    readonly about: string;
  }[];
  readonly log: string;
}

const SPOOFED = "Heuristics.Phishing.Email.SpoofedDomain";
let report: Report;

beforeAll(async () => {
  report = (await runInPrivateNetwork("test/e2e/spf-scenario.ts", 90_000)) as Report;
}, 100_000);

/** Reports with that message attached, and notices of it. */
function mailsOf(name: string) {
  const about = name.replaceAll(/\W/g, "-");
  return report.mails.filter((mail) => mail.attached === `case ${name}` || mail.about === about);
}

const PASSING = ["pass", "pass by include", "pass by mx", "pass by IPv6 as sendmail writes it"];

test.each(PASSING)("%s: let through with a mark, and reported", (name) => {
  const { answer, changes } = report.answers[name] ?? { answer: "", changes: [] };
  expect(answer).toBe("accept");
  expect(changes).toContain(`X-Virus-Status: Infected with ${SPOOFED} (SPF pass, reported)`);
  // The sender's own word is gone.
  expect(changes).toContain("changeHeader");
  expect(mailsOf(name)).toEqual([
    {
      to: ["false@report.example"],
      subject: `Subject: False alarm about phishing: ${SPOOFED}`,
      attached: `case ${name}`,
      about: "",
    },
  ]);
});

test.each([
  "fail",
  "an address of 60,000 characters",
  "softfail",
  "no policy",
  "no such domain",
  "two policies",
  "servers that fail",
  "two authors",
  "a signature's name",
])("%s: refused, caught and told like any phish", (name) => {
  const virus = name === "a signature's name" ? "Phishing.Email.Test.UNOFFICIAL" : SPOOFED;
  expect(report.answers[name]).toEqual({
    answer: `554 5.7.1 virus ${virus} detected by ClamAV - http://www.clamav.net`,
    changes: [],
  });
  expect(mailsOf(name).toSorted((one, other) => one.subject.localeCompare(other.subject))).toEqual([
    {
      to: ["virus@lab.example"],
      subject: `Subject: Infected mail refused: ${virus}`,
      attached: "",
      about: name.replaceAll(/\W/g, "-"),
    },
    {
      to: ["phish@report.example"],
      subject: `Subject: Phishing mail: ${virus}`,
      attached: `case ${name}`,
      about: "",
    },
  ]);
});

test("no other mail was sent", () => {
  const names = Object.keys(report.answers);
  expect(names.flatMap(mailsOf).length).toBe(report.mails.length);
});
