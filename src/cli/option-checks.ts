import { canonicalNetwork, parseAddress } from "./network.ts";
import type { ValueCheck } from "./option-spec.ts";
import { parseServerList } from "./server-list.ts";

/** A decimal whole number within bounds (both included). */
export function wholeNumber(least: number, most: number, unit = ""): ValueCheck {
  const expected = `a whole number${unit === "" ? "" : ` of ${unit}`} from ${least} to ${most}`;
  return (value) => {
    if (!/^[+-]?\d{1,15}$/.test(value)) return expected;
    const parsed = Number(value);
    return parsed >= least && parsed <= most ? null : expected;
  };
}

/** Any whole number; whether it may be zero or negative depends on the mode (see the conflicts). */
export const anyWholeNumber: ValueCheck = (value) =>
  /^[+-]?\d{1,9}$/.test(value) ? null : "a whole number of seconds";

export function oneOf(...words: readonly string[]): ValueCheck {
  return (value) => (words.includes(value) ? null : `one of ${words.join(", ")}`);
}

/** Bytes of a size such as `4096`, `512K`, `25M`, `1G`, or null. */
export function sizeInBytes(value: string): number | null {
  const parts = /^(\d{1,15})([KMG]?)$/i.exec(value);
  if (parts === null) return null;
  const factor = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(parts[2] ?? "").toUpperCase()] ?? 1;
  const bytes = Number(parts[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

export const sizeAboveZero: ValueCheck = (value) =>
  (sizeInBytes(value) ?? 0) > 0 ? null : "a number of bytes above 0, with K, M or G behind it if you like";

export const anyFile: ValueCheck = (value) => path(value, "the name of a file");

export const anyDirectory: ValueCheck = (value) => path(value, "the name of a directory");

export const absolutePath: ValueCheck = (value) =>
  value.startsWith("/") && !value.includes("\0") ? null : "a full path name that begins with /";

function path(value: string, expected: string): string | null {
  return value !== "" && !value.includes("\0") ? null : expected;
}

/** `--sendmail-cf` may be empty, which turns the check off (CB 1.42). */
export const fileOrNothing: ValueCheck = (value) => (value.includes("\0") ? "the name of a file" : null);

/** One address that can stand in a recipient's place: no blanks, brackets or control characters. */
export const mailAddress: ValueCheck = (value) =>
  /^(?!-)[^\s<>(),;:"\\|\x00-\x1f\x7f]{1,254}$/.test(value)
    ? null
    : "one mail address without brackets, such as postmaster@example.org";

/** Text of a From: header line; empty means the sender of each message. */
export const fromText: ValueCheck = (value) =>
  /^[^\x00-\x1f\x7f]{0,998}$/.test(value) ? null : "a mail address without control characters";

export const addressList: ValueCheck = (value) => {
  const items = value.split(",").filter((item) => item !== "");
  const bad = items.find((item) => parseAddress(item) === null);
  if (bad !== undefined) return `IP addresses separated by commas, not "${bad}"`;
  return items.length > 0 ? null : "IP addresses separated by commas";
};

export const network: ValueCheck = (value) =>
  canonicalNetwork(value) === null
    ? "a network such as 192.0.2.0/24 or 2001:db8::/32, or a single IP address"
    : null;

export const serverList: ValueCheck = (value) => {
  const parsed = parseServerList(value);
  return typeof parsed === "string" ? parsed : null;
};

export const interfaceName: ValueCheck = (value) =>
  value === "" || (/^[^\s/:\x00-\x1f]{1,15}$/.test(value) && value !== "." && value !== "..")
    ? null
    : "the name of a network interface, such as eth0";

export const socketMode: ValueCheck = (value) =>
  /^0?[0-7]{3}$/.test(value) ? null : "an octal mode such as 0660";

export const groupName: ValueCheck = (value) =>
  /^([A-Za-z_][A-Za-z0-9_.-]{0,31}|\d{1,10})$/.test(value) ? null : "the name or number of a group";

export const wordList: ValueCheck = (value) =>
  value === "" || /^[^\s,\x00-\x1f]+(,[^\s,\x00-\x1f]+)*$/.test(value)
    ? null
    : "names separated by commas, without blanks";
