import { describe, expect, test } from "bun:test";
import { canBeAskedAbout, leadsToNull } from "../../src/policy/black-hole.ts";

const NULL = "/dev/null... deliverable: mailer *file*, user /dev/null";

describe("what sendmail -bv says", () => {
  test.each([
    [`${NULL}\n`, true],
    [`${NULL}\n${NULL}\n`, true],
    ["", false],
    ["\n", false],
    [`${NULL}\nbob... deliverable: mailer local, user bob\n`, false],
    [`bob... User unknown\n${NULL}\n`, false],
    ["bob... User unknown\n", false],
    ["/tmp/x... deliverable: mailer *file*, user /tmp/x\n", false],
    ["/dev/null... Cannot mail directly to files\n", false],
    ["x... deliverable: mailer *file*, user /dev/null\n", false],
    [`"${NULL}"... deliverable: mailer local, user "x, user /dev/null"\n`, false],
    [`${NULL}x\n`, false],
    [`WARNING: something\n${NULL}\n`, false],
  ])("%j: %p", (output, expected) => {
    expect(leadsToNull(output)).toBe(expected);
  });
});

describe("whom it is asked about", () => {
  test.each(["hole@example.org", "hole", "a.b+c@example.org", "x=y@example.org", "o'neil@example.org"])(
    "%s",
    (address) => expect(canBeAskedAbout(address)).toBe(true),
  );
  test.each([
    "",
    "-v",
    "-bs@example.org",
    "/dev/null",
    "@a,@b:c@d",
    "a,b@example.org",
    "a b@example.org",
    '"a"@example.org',
    "a\n@example.org",
    "a\0b",
    "|prog",
    ":include:/etc/passwd",
    "<a@b>",
    "a(b)@c",
    "a;b@c",
    "a\\b@c",
    "\u00e9@c",
    `${"a".repeat(400)}@b`,
  ])("never about %j", (address) => expect(canBeAskedAbout(address)).toBe(false));
});
