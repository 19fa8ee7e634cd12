/**
 * An address as lists compare it: without blanks and angle brackets around it, in lower case (decisions 4, "Whitelist").
 * @param text one character a byte: what is not ASCII is a part of a character, and stays as it is
 */
export function bareAddress(text: string): string {
  return inLowerCase(withoutBlanks(withoutBlanks(text).replace(/^<(.*)>$/s, "$1")));
}

function inLowerCase(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const BLANKS = "\t\n\v\f\r ";

/** As trim() does, but for the byte A0, the second of some characters of UTF-8. */
export function withoutBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && BLANKS.includes(text.charAt(from))) from++;
  while (to > from && BLANKS.includes(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/** What stands behind the last `@`, in lower case and without a dot at its end; null without one. */
export function domainOf(address: string): string | null {
  const bare = bareAddress(address);
  const at = bare.lastIndexOf("@");
  return at < 0 ? null : bareName(bare.slice(at + 1));
}

/** A host name as it is compared: lower case, no dot at its end. */
export function bareName(name: string): string {
  return name.trim().toLowerCase().replace(/\.$/, "");
}

/**
 * The domains of all addresses in a `From:` or `Sender:` field (RFC 5322, 3.4). Comments, quoted texts and display
 * names are no addresses. Of a value that breaks the rules rather too many are found than too few.
 */
export function headerDomains(value: string): readonly string[] {
  const plain = withoutBlanksAtSigns(withoutComments(value));
  const angled = [...plain.matchAll(/<([^<>]*)/g)].map(([, inner = ""]) => inner);
  const places = angled.length > 0 ? angled : [plain];
  return places.flatMap((place) =>
    [...place.matchAll(/@([^\s,;:<>@"]+)/g)].map(([, domain = ""]) => bareName(domain)),
  );
}

/** The text without blanks beside `@` and dots. Each run of blanks is looked at once, however long it is. */
function withoutBlanksAtSigns(text: string): string {
  const isSign = (at: number): boolean => text.charAt(at) === "@" || text.charAt(at) === ".";
  return text.replaceAll(/\s+/g, (blanks: string, at: number) =>
    isSign(at - 1) || isSign(at + blanks.length) ? "" : blanks,
  );
}

/** The text with a blank for each comment, and a single quotation mark, which ends a word, for each quoted string. */
function withoutComments(value: string): string {
  let kept = "";
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const sign = value.charAt(at);
    if (sign === "\\") {
      at++;
    } else if (quoted) {
      quoted = sign !== '"';
    } else if (sign === "(") {
      if (depth === 0) kept += " ";
      depth++;
    } else if (sign === ")" && depth > 0) {
      depth--;
    } else if (depth > 0) {
      // Part of a comment.
    } else if (sign === '"') {
      quoted = true;
      kept += '"';
    } else {
      kept += sign;
    }
  }
  return kept;
}
