import { describe, expect, test } from "bun:test";
import PostalMime from "postal-mime";
import { signMessage } from "../../src/signature/sign-message.ts";

const SIGNATURE = "-- \nScanned, grüße\n";

function message(...lines: string[]): Buffer {
  return Buffer.from(lines.join("\r\n"), "latin1");
}

/** The whole message with the new body, as an independent parser reads it. */
async function signed(original: Buffer, signature = SIGNATURE) {
  const result = signMessage(original, signature);
  if (result.kind === "unsigned") throw new Error(result.reason);
  const head = original.subarray(0, original.indexOf("\r\n\r\n") + 4);
  const bytes = Buffer.concat([head, result.body]);
  return { text: bytes.toString("latin1"), read: await PostalMime.parse(bytes) };
}

function reason(original: Buffer): string {
  const result = signMessage(original, SIGNATURE);
  return result.kind === "unsigned" ? result.reason : "signed";
}

describe("a text alone", () => {
  test("without MIME: at its end, in ASCII", async () => {
    const { text } = await signed(message("Subject: x", "", "Hello", ""));
    expect(text).toBe("Subject: x\r\n\r\nHello\r\n-- \r\nScanned, gr??e\r\n");
  });

  test("without a line end at its end", async () => {
    const { text } = await signed(message("Subject: x", "", "Hello"));
    expect(text).toEndWith("Hello\r\n-- \r\nScanned, gr??e");
  });

  for (const [charset, bytes] of [
    ["utf-8", "gr\xc3\xbc\xc3\x9fe"],
    ["iso-8859-1", "gr\xfc\xdfe"],
    ["windows-1252", "gr\xfc\xdfe"],
    ["us-ascii", "gr??e"],
    ["iso-2022-jp", "gr??e"],
    ["koi8-r", "gr??e"],
  ] as const) {
    test(`8bit, ${charset}`, async () => {
      const type = `Content-Type: text/plain; charset="${charset}"`;
      const { text } = await signed(message(type, "Content-Transfer-Encoding: 8bit", "", "Hello", ""));
      expect(text).toEndWith(`Hello\r\n-- \r\nScanned, ${bytes}\r\n`);
    });
  }

  test("quoted-printable: soft line breaks, a long line", async () => {
    const type = "Content-Type: text/plain; charset=utf-8";
    const body = ["Hell=C3=B6 =", "there", "end="];
    const original = message(type, "Content-Transfer-Encoding: quoted-printable", "", ...body);
    const { text, read } = await signed(original, `-- \n${"ü".repeat(60)}\n`);
    expect(text).toContain(body.join("\r\n"));
    expect(text.split("\r\n").every((line) => line.length <= 76)).toBe(true);
    expect(read.text?.replaceAll("\r\n", "\n").trimEnd()).toEndWith(`-- \n${"ü".repeat(60)}`);
  });

  test("base64", async () => {
    const type = "Content-Type: text/plain; charset=utf-8";
    const encoded = Buffer.from("Hellö there\r\n").toString("base64");
    const { read, text } = await signed(message(type, "Content-Transfer-Encoding: base64", "", encoded, ""));
    expect(read.text?.replaceAll("\r\n", "\n")).toBe("Hellö there\n-- \nScanned, grüße\n");
    expect(text.split("\r\n").every((line) => line.length <= 76)).toBe(true);
  });

  test("HTML: in front of its end, escaped", async () => {
    const type = "Content-Type: text/html; charset=utf-8";
    const html = "<html><body><p>Hi</p></BODY></html>";
    const { text } = await signed(
      message(type, "Content-Transfer-Encoding: 8bit", "", html, ""),
      "a <b> & c\n",
    );
    expect(text).toEndWith("<p>Hi</p><div>a &#60;b&#62; &#38; c</div>\r\n</BODY></html>\r\n");
  });

  test("HTML in quoted-printable, its end broken by a soft line break", async () => {
    const type = "Content-Type: text/html; charset=utf-8";
    const body = ["<p>Hi</p></bo=", "dy></html>"];
    const original = message(type, "Content-Transfer-Encoding: quoted-printable", "", ...body, "");
    const { read } = await signed(original);
    expect(read.html?.replaceAll("\r\n", "\n")).toBe(
      "<p>Hi</p><div>-- <br>\nScanned, grüße</div>\n</body></html>\n",
    );
  });
});

describe("parts", () => {
  const ALTERNATIVE = [
    'Content-Type: multipart/mixed; boundary="out"',
    "MIME-Version: 1.0",
    "",
    "preamble",
    "--out",
    'Content-Type: multipart/alternative; boundary="in ner"',
    "",
    "--in ner",
    "Content-Type: text/plain; charset=utf-8",
    "",
    "Plain",
    "--in ner",
    'Content-Type: multipart/related; boundary="deep"',
    "",
    "--deep",
    "Content-Type: text/html; charset=iso-8859-1",
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from("<body>Rich</body>").toString("base64"),
    "--deep",
    "Content-Type: image/png",
    "Content-Transfer-Encoding: base64",
    "",
    "AAAA",
    "--deep--",
    "--in ner--",
    "--out",
    "Content-Type: text/plain",
    "Content-Disposition: attachment; filename=a.txt",
    "",
    "attached",
    "--out--",
    "epilogue",
    "",
  ];

  test("the text and its HTML form, and nothing else", async () => {
    const original = message(...ALTERNATIVE);
    const { text, read } = await signed(original, "-- \nScanned\n");
    expect(read.text?.replaceAll("\r\n", "\n")).toStartWith("Plain\n-- \nScanned");
    expect(read.html).toContain("Rich<div>-- <br>");
    // Without what was put in, it is what it was: the part in base64 is the one that was written anew.
    const same = text.replace("\r\n-- \r\nScanned", "");
    const before = original.toString("latin1").split("\r\n");
    const changed = same.split("\r\n").filter((line) => !before.includes(line));
    expect(changed.every((line) => /^[A-Za-z0-9+/=]+$/.test(line))).toBe(true);
    expect(read.attachments.map(({ mimeType }) => mimeType)).toEqual(["image/png", "text/plain"]);
    expect(text).toContain("\r\n\r\nattached\r\n--out--\r\nepilogue\r\n");
  });

  test("a forwarded message is not touched", () => {
    const original = message(
      "Content-Type: multipart/mixed; boundary=b",
      "",
      "--b",
      "Content-Type: message/rfc822",
      "",
      "Subject: y",
      "",
      "inner",
      "--b--",
      "",
    );
    expect(reason(original)).toBe("it has no text");
  });
});

describe("left as they are", () => {
  const TEXT = ["", "Hello", ""];
  for (const [title, original, why] of [
    ["DKIM", message("DKIM-Signature: v=1; b=x", ...TEXT), "it has a dkim-signature header"],
    ["ARC", message("ARC-Message-Signature: i=1", ...TEXT), "it has a arc-message-signature header"],
    [
      "multipart/signed",
      message("Content-Type: multipart/signed; boundary=b", "", "--b", "", "x", "--b", "", "y", "--b--", ""),
      "it has a part of type multipart/signed that must stay as it is",
    ],
    [
      "multipart/encrypted",
      message("Content-Type: multipart/encrypted; boundary=b", "", "--b", "", "x", "--b--", ""),
      "it has a part of type multipart/encrypted that must stay as it is",
    ],
    [
      "S/MIME",
      message("Content-Type: application/pkcs7-mime; smime-type=signed-data", "", "AAAA", ""),
      "it has a part of type application/pkcs7-mime that must stay as it is",
    ],
    [
      "PGP in the text",
      message("Subject: x", "", "-----BEGIN PGP SIGNED MESSAGE-----", "x", ""),
      "it is signed or encrypted with PGP",
    ],
    ["no boundary", message("Content-Type: multipart/mixed", ...TEXT), "a multipart without boundary"],
    [
      "no last boundary",
      message("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", ""),
      "a multipart without its last boundary",
    ],
    [
      "two types",
      message("Content-Type: text/plain", "Content-Type: text/html", ...TEXT),
      "more than one content-type",
    ],
    [
      "UTF-16",
      message("Content-Type: text/plain; charset=utf-16", ...TEXT),
      "its text is in an unknown form",
    ],
    [
      "another encoding",
      message("Content-Transfer-Encoding: x-uuencode", ...TEXT),
      "its text is in an unknown form",
    ],
    [
      "broken base64",
      message("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64", "", "AA=A", ""),
      "its text is in an unknown form",
    ],
    ["an image", message("Content-Type: image/png", ...TEXT), "it has no text"],
    ["nothing", message("Subject: x", "", ""), "it has no body"],
  ] as const) {
    test(title, () => expect(reason(original)).toBe(why));
  }

  test("parts without end", () => {
    const lines: string[] = [];
    for (let depth = 0; depth < 100; depth++)
      lines.push(`Content-Type: multipart/mixed; boundary=b${depth}`, "", `--b${depth}`);
    for (let depth = 99; depth >= 0; depth--) lines.push(`--b${depth}--`);
    expect(reason(message(...lines, ""))).toBe("parts within parts without end");
  });
});

test("any bytes at all: signed or not, but never an error", () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const pieces = [
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "\r\n",
    "--b\r\n",
    "--b--\r\n",
    "=\r\n",
    "x",
    "\xff",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Type: text/html\r\n",
    "</body>",
    ":",
    " ",
  ];
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: random(30) }, () => pieces[random(pieces.length)] ?? "").join("");
    expect(["signed", "unsigned"]).toContain(signMessage(Buffer.from(text, "latin1"), SIGNATURE).kind);
  }
});

describe("what readers see differently stays as it is", () => {
  test("an empty Content-Type", () => {
    expect(reason(message("Content-Type: ", "", "Hello"))).toBe("a Content-Type that cannot be read");
  });

  test("a boundary behind a letter that only some take for a blank", () => {
    expect(
      reason(message("Content-Type: multipart/mixed; boundary\xa0=b", "", "--b", "", "x", "--b--")),
    ).toBe("a multipart without boundary");
  });

  test.each(['c;=";boundary=b', "mixed; boundary=b c", 'mixed; boundary="b" "c"'])(
    "parameters: %j",
    (value) => {
      expect(reason(message(`Content-Type: multipart/${value}`, "", "--b", "", "x", "--b--"))).toBe(
        "parameters that cannot be read",
      );
    },
  );

  test("but for a comment, and a semicolon at the end", () => {
    expect(reason(message("Content-Type: text/plain; charset=us-ascii (plain); ", "", "x"))).toBe("signed");
  });

  test("a blank behind the name of a MIME field", () => {
    expect(reason(message("Content-Type : text/html", "", "Hello"))).toBe("a blank behind a name");
  });

  test("a part that is neither shown in its place nor attached", () => {
    expect(reason(message("Content-Disposition: (x) attachment", "", "Hello"))).toBe("it has no text");
    expect(reason(message("Content-Disposition: form-data", "", "Hello"))).toBe("it has no text");
  });
});

test("a part whose header has no end gets nothing: it would be a header line", async () => {
  const original = message(
    "Content-Type: multipart/mixed; boundary=b",
    "",
    "--b",
    "Content-Type: text/plain",
    "--b",
    "",
    "second",
    "--b--",
  );
  const { text, read } = await signed(original);
  expect(text).toContain("--b\r\nContent-Type: text/plain\r\n--b\r\n\r\nsecond\r\n-- \r\nScanned");
  expect(read.text).toContain("second");
});

test("1 MB of quoted-printable takes a moment, whatever is in it; a longer text is not signed", () => {
  const head = "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
  const pieces = ["a", "= ", "=41", "</body>"];
  const started = performance.now();
  for (const piece of pieces) {
    const long = Buffer.concat([Buffer.from(head), Buffer.alloc(16 * 1024 * 1024, piece)]);
    expect(signMessage(long.subarray(0, 1024 * 1024), "x").kind).toBe("signed");
    expect(signMessage(long, "x")).toEqual({ kind: "unsigned", reason: "its text is too long" });
  }
  expect(performance.now() - started).toBeLessThan(15_000);
}, 60_000);
