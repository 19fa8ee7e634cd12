import { expect, test } from "bun:test";
import PostalMime from "postal-mime";
import { composeReport } from "../../src/notify/report.ts";
import { incident, parsed, RULES, STAMP } from "./incidents.ts";

const report = (message: string) =>
  composeReport(
    "phish",
    incident({ names: ["Heuristics.Phishing.Email"] }),
    "phish@report.example",
    RULES,
    Buffer.from(message, "latin1"),
    STAMP,
  ).bytes;

const MAIL = "From: a@b\r\nSubject: x\r\n\r\n.\r\nFrom me\r\n--not a boundary\r\ntext \xe4\r\n";

test("the whole message is attached as a message", async () => {
  const bytes = report(MAIL);
  const { fields, body } = parsed(bytes);
  expect(fields.find(([name]) => name === "to")?.[1]).toBe("phish@report.example");
  expect(fields.find(([name]) => name === "subject")?.[1]).toBe("Phishing mail: Heuristics.Phishing.Email");
  expect(fields.find(([name]) => name === "content-transfer-encoding")?.[1]).toBe("8bit");
  expect(body).toContain(`Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n`);
  expect(body).toContain(`\n\n${MAIL.replaceAll("\r\n", "\n")}\n--`);
  const { attachments, text } = await PostalMime.parse(bytes, { forceRfc822Attachments: true });
  expect(text).toContain("caught as phishing");
  expect(attachments.map(({ mimeType }) => mimeType)).toEqual(["message/rfc822"]);
});

for (const [title, message] of [
  ["NUL", "Subject: x\r\n\r\na\0b\r\n"],
  ["a bare CR", "Subject: x\r\n\r\na\rb\r\n"],
  ["a very long line", `Subject: x\r\n\r\n${"y".repeat(5000)}\r\n`],
] as const) {
  test(`${title}: attached byte by byte`, async () => {
    const { attachments } = await PostalMime.parse(report(message));
    expect(attachments.length).toBe(1);
    expect(attachments[0]?.mimeType).toBe("application/octet-stream");
    expect(Buffer.from(attachments[0]?.content as ArrayBuffer).toString("latin1")).toBe(message);
  });
}
