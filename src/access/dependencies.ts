import { type AccessRule, type AccessRules, splitAt } from "./access-file.ts";
import { daemonPort, isForUs } from "./decide.ts";
import { fileTokens, isExcept, isForAddresses, listMatches, type Match, splitEndpoint } from "./pattern.ts";

/** What has to be at hand before rules can be applied. */
export interface AccessDependencies {
  /** Absolute paths of `/file` patterns. */
  readonly files: readonly string[];
  /** Names of `@netgroup` patterns, without the `@`. */
  readonly netgroups: readonly string[];
  /** Whether there are patterns for names at all; `accessNeedsName` tells it for one address. */
  readonly needsName: boolean;
}

/**
 * Finds what the rules for this program refer to; rules for other daemons do not count.
 * @param files contents known so far: files may name further files, so call again with what was read until nothing
 *   new is named
 */
export function accessDependencies(
  rules: AccessRules,
  files: Readonly<Record<string, string | null>> = {},
): AccessDependencies {
  const paths = new Set<string>();
  const netgroups = new Set<string>();
  /** Notes what a host pattern refers to; tells whether it can ask for the host's name. */
  const visit = (token: string): boolean => {
    if (token.startsWith("@")) netgroups.add(token.slice(1));
    if (!token.startsWith("/")) return mayAskName(token);
    if (paths.has(token)) return false;
    paths.add(token);
    const text = Object.hasOwn(files, token) ? files[token] : null;
    return fileTokens(text ?? null)
      .map(visit)
      .includes(true);
  };
  let needsName = false;
  for (const { daemons, clients } of rules.rules.filter(mayConcernUs)) {
    const ofPeer = clients.map((token) => !isExcept(token) && visit(splitEndpoint(token)[1] ?? token));
    needsName ||= ofPeer.includes(true);
    for (const token of daemons) visit(splitEndpoint(token)[1] ?? "");
  }
  return { files: [...paths], netgroups: [...netgroups], needsName };
}

/** Whether the rule is for us, at whatever address and port of ours. */
export function mayConcernUs({ daemons }: AccessRule): boolean {
  const dependsOnServer = daemons.some((token) => {
    const [daemon, host] = splitEndpoint(token);
    return daemonPort(daemon) !== null || (host !== null && isForUs(daemon, undefined));
  });
  const matches = (token: string): Match => (isForUs(token, undefined) ? "yes" : "no");
  return dependsOnServer || listMatches(daemons, matches) === "yes";
}

/** In a file EXCEPT is a word like others; in a rule's list nobody asks this about it. */
function mayAskName(token: string): boolean {
  const isNetwork = !token.startsWith("@") && splitAt(token, "/")[1] !== null;
  return !isNetwork && !isForAddresses(token) && token.toUpperCase() !== "ALL";
}
