import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import PostalMime from "postal-mime";
import { type Incident, type NoticeRules, SITUATIONS } from "../../src/notify/incident.ts";
import { composeNotice, type NoticeTemplate } from "../../src/notify/notice.ts";
import type { NoticeFacts } from "../../src/notify/notice-text.ts";
import { shownHeader } from "../../src/notify/notice-text.ts";
import { noticeRecipients } from "../../src/notify/recipients.ts";
import { parseTemplateHeaders } from "../../src/notify/template-headers.ts";
import { incident, parsed, RULES, STAMP } from "./incidents.ts";

const FACTS: NoticeFacts = { keptAs: null, header: null };

function notice(
  changes: Partial<Incident> = {},
  rules: Partial<NoticeRules> = {},
  facts: Partial<NoticeFacts> = {},
  template: NoticeTemplate | null = null,
) {
  const all = { ...RULES, ...rules };
  const about = incident(changes);
  return composeNotice(about, noticeRecipients(all, about), all, { ...FACTS, ...facts }, template, STAMP);
}

function field(bytes: Buffer, name: string): string[] {
  return parsed(bytes).fields.flatMap(([each, value]) => (each === name ? [value] : []));
}

test("a whole notice, as it is sent", () => {
  expect(notice().bytes.toString()).toBe(
    [
      "From: MAILER-DAEMON@mail.lab.example",
      "To: postmaster@mail.lab.example",
      "Cc: bob@lab.example, carol@lab.example",
      "X-Infected-Received-From: client.example.net [192.0.2.7]",
      "Subject: Infected mail refused: Eicar-Test-Signature",
      "Date: Sun, 22 Nov 2026 19:06:20 +0000",
      "Message-ID: <1795374380000.k7.clamav-milter@mail.lab.example>",
      "Auto-Submitted: auto-generated (virus filter)",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 7bit",
      "",
      "A message from <alice@example.net> is infected:",
      "",
      "    Eicar-Test-Signature",
      "",
      "It was addressed to:",
      "",
      "    bob@lab.example",
      "    carol@lab.example",
      "",
      "It was refused: nothing of it was delivered, and the server that brought it was told why.",
      "",
      "It was brought by client.example.net [192.0.2.7].",
      "",
      "No person has written this notice; the virus filter of the mail server sends it.",
      "",
    ].join("\n"),
  );
});

test("the machine that the header tells of is named, unless the whole header is there", () => {
  const origin = "from localhost (pc7.lab.example [10.1.2.3])\n\tby mail.lab.example";
  const line = "    from localhost (pc7.lab.example [10.1.2.3]) by mail.lab.example";
  expect(parsed(notice({ origin }).bytes).body).toContain(
    `The infected machine may be the one of this line of its header:\n\n${line}\n`,
  );
  expect(parsed(notice({ origin }, { headers: true }, { header: "X: y" }).bytes).body).not.toContain("pc7");
});

test("each situation has its own words", () => {
  const subjects = SITUATIONS.map((situation) => field(notice({ situation }).bytes, "subject")[0]);
  expect(subjects).toEqual([
    "Infected mail refused: Eicar-Test-Signature",
    "Infected mail thrown away: Eicar-Test-Signature",
    "Infected mail redirected: Eicar-Test-Signature",
    "Infected mail delivered with a mark: Eicar-Test-Signature",
  ]);
  const bodies = SITUATIONS.map((situation) => parsed(notice({ situation }).bytes).body);
  expect(new Set(bodies).size).toBe(4);
  expect(bodies.filter((body) => body.includes("nothing of it was delivered")).length).toBe(2);
});

describe("who gets it", () => {
  const to = (changes: Partial<Incident>, rules: Partial<NoticeRules>) => {
    const { bytes } = notice(changes, rules);
    return [field(bytes, "to")[0], field(bytes, "cc")[0]];
  };

  test("-P: the postmaster alone; the text begins with the queue id", () => {
    expect(to({}, { postmasterOnly: true })).toEqual(["postmaster@mail.lab.example", undefined]);
    const { body } = parsed(notice({}, { postmasterOnly: true }).bytes);
    expect(body).toStartWith(
      "The message with the queue ID 4AMtest0001 from <alice@example.net> is infected:",
    );
  });

  test("-b: the sender first", () => {
    expect(to({}, { bounce: true, postmaster: "virus@lab.example" })).toEqual([
      "alice@example.net",
      "virus@lab.example, bob@lab.example, carol@lab.example",
    ]);
    expect(to({}, { bounce: true, postmasterOnly: true })).toEqual([
      "alice@example.net",
      "postmaster@mail.lab.example",
    ]);
    expect(to({ sender: "<>" }, { bounce: true, postmasterOnly: true })[0]).toBe(
      "postmaster@mail.lab.example",
    );
  });

  test("nobody twice, and nobody whose address is a trap", () => {
    const traps = [
      "<|sh@x>",
      "</etc/passwd>",
      "<-bv>",
      "<:include:/x>",
      '<"a b"@x>',
      "<a\nBcc: b@x>",
      "<a@b c>",
    ];
    const recipients = [
      "<bob@lab.example>",
      "<BOB@lab.example>",
      "<postmaster>",
      ...traps,
      `<${"x".repeat(10_000)}>`,
    ];
    expect(to({ recipients }, {})).toEqual(["postmaster@mail.lab.example", "bob@lab.example"]);
  });
});

describe("From:", () => {
  const from = (text: string, sender = "<alice@example.net>") =>
    field(notice({ sender }, { from: text }).bytes, "from")[0];

  test("an address, a name with one, anything else", () => {
    expect(from("virus@lab.example")).toBe("virus@lab.example");
    expect(from("Virus Filter <virus@lab.example>")).toBe("Virus Filter <virus@lab.example>");
    expect(from("Filter, the <virus>")).toBe('"Filter, the" <virus@mail.lab.example>');
    expect(from('"Filter: X" <v@x.example>')).toBe('"Filter: X" <v@x.example>');
    expect(from("Jörg <j@x.example>")).toBe("=?UTF-8?B?SsO2cmc=?= <j@x.example>");
    expect(from("no address here")).toBe("no address here <MAILER-DAEMON@mail.lab.example>");
  });

  test("empty: the sender of the message, if there is one", () => {
    expect(from("")).toBe("alice@example.net");
    expect(from("", "<>")).toBe("MAILER-DAEMON@mail.lab.example");
    expect(from("", "<evil>\nBcc: x@y>")).toBe("MAILER-DAEMON@mail.lab.example");
  });
});

test("-H: the header of the message, with where it came from", () => {
  const header = shownHeader(
    Buffer.from("Subject: one\r\n\ttwo \x07\r\nFrom x\r\nX-B: \xff\r\n\r\nbody", "latin1"),
  );
  expect(header).toBe("Subject: one\n\ttwo\nFrom x\nX-B: \\xff");
  const { body } = parsed(notice({}, { headers: true }, { header }).bytes);
  expect(body).toContain(
    "as mail.lab.example had it from <alice@example.net> by way of client.example.net [192.0.2.7]:\n\nSubject: one\n",
  );
});

test("where it is kept", () => {
  const { body } = parsed(notice({}, {}, { keptAs: "/q/261122/4AM.Eicar" }).bytes);
  expect(body).toContain("kept in this file:\n\n    /q/261122/4AM.Eicar\n");
});

test("many recipients are counted", () => {
  const recipients = Array.from({ length: 60 }, (_, at) => `<u${at}@lab.example>`);
  const { body } = parsed(notice({ recipients, recipientCount: 1234 }).bytes);
  expect(body).toContain("    u49@lab.example\n    and 1184 more\n");
});

describe("with a template", () => {
  const template = (text: string, header = ""): NoticeTemplate => ({
    text,
    fields: parseTemplateHeaders(header),
  });

  test("its signs are replaced, and our header stays", () => {
    const text = ["Virus: %v\r\nHeader:\n%h\nvia $j$ and $", "{if_addr}$\n"].join("");
    const macros = { j: "mail.lab.example", if_addr: "192.0.2.1\nBcc: x" };
    const { bytes } = notice({ macros }, {}, { header: "Subject: $j$ %v" }, template(text));
    expect(parsed(bytes).body).toBe(
      "Virus: Eicar-Test-Signature\nHeader:\nSubject: $j$ %v\nvia mail.lab.example and 192.0.2.1 Bcc: x\n",
    );
    expect(field(bytes, "subject")).toEqual(["Infected mail refused: Eicar-Test-Signature"]);
  });

  test("its header lines take the place of ours", () => {
    const { bytes } = notice(
      {},
      {},
      {},
      template("\xd0\xc9", "Subject: mine\nContent-Type: text/plain; charset=koi8-r\nX-Site: a\n b\n"),
    );
    expect(field(bytes, "subject")).toEqual(["mine"]);
    expect(field(bytes, "content-type")).toEqual(["text/plain; charset=koi8-r"]);
    expect(field(bytes, "x-site")).toEqual(["a b"]);
    expect(parsed(bytes).body).toBe("=D0=C9\n");
  });

  test("a name beyond ASCII does not spoil a text in another character set", () => {
    const { bytes } = notice(
      { names: ["V\xc3\xa4"] },
      {},
      {},
      template("%v", "Content-Type: text/plain; charset=koi8-r"),
    );
    expect(parsed(bytes).body).toBe("V?\n");
    expect(parsed(notice({ names: ["V\xc3\xa4"] }, {}, {}, template("%v")).bytes).body).toBe("V=C3=A4\n");
  });
});

const HOSTILE = [
  "a\r\nBcc: evil@example.org",
  "$(reboot)`x`",
  "%v %h $j$",
  "\u0000\u001b[2J",
  "\xff\xfe",
  "=?UTF-8?B?Zm9v?=",
  "\n\nbody",
  "x".repeat(10_000),
  '"; rm -rf /',
];

test("no text from outside adds a header line or breaks the rules of RFC 5322", async () => {
  const text = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary", maxLength: 60 }));
  const binary = text.map((each) => Buffer.from(each).toString("latin1"));
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        queueId: binary,
        sender: binary,
        recipients: fc.array(binary, { maxLength: 4 }),
        names: fc.array(binary, { minLength: 1, maxLength: 3 }),
        clientHost: binary,
        clientAddress: binary,
        clientWords: binary,
        origin: binary,
        mtaHost: binary,
      }),
      fc.record({ from: text, bounce: fc.boolean(), postmasterOnly: fc.boolean() }),
      fc.constantFrom(null, "X: y"),
      async (changes, rules, header) => {
        const { bytes } = notice(changes, rules, { header });
        const { fields } = parsed(bytes);
        const names = fields.map(([name]) => name);
        expect(new Set(names).size).toBe(names.length);
        for (const needed of ["from", "to", "date", "message-id", "subject", "auto-submitted"]) {
          expect(names).toContain(needed);
        }
        expect(names).not.toContain("bcc");
        expect(bytes.toString("latin1")).toMatch(/^[\n\t -~]*$/);
        expect(
          bytes
            .toString("latin1")
            .split("\n")
            .every((line) => line.length <= 998),
        ).toBe(true);
        const read = await PostalMime.parse(bytes);
        expect(read.to?.length).toBe(1);
        expect(read.text ?? "").toContain("is infected");
      },
    ),
    { numRuns: 150 },
  );
}, 30_000);

test("a subject beyond ASCII is read as it was meant", async () => {
  const name = "Vîrus ".repeat(30);
  const { bytes } = notice({ names: [Buffer.from(name).toString("latin1")] });
  expect(
    bytes
      .toString("latin1")
      .split("\n")
      .every((line) => line.length <= 78 || !line.startsWith("Subject")),
  ).toBe(true);
  const read = await PostalMime.parse(bytes);
  expect(read.subject).toBe(`Infected mail refused: ${name.trim()}`);
});
