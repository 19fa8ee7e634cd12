import type { AccessRules } from "./access-file.ts";
import { mayConcernUs } from "./dependencies.ts";
import { decideOptions } from "./rule-options.ts";

/**
 * What an administrator should know about a file's rules for this program before anybody connects: lines that are a
 * rule for nobody, and options that are ignored, deny or are wrong. Each with file and line.
 */
export function ruleWarnings({ fileName, rules, warnings }: AccessRules): readonly string[] {
  const ofOptions = rules.filter(mayConcernUs).flatMap(({ line, options }) => {
    const sentences = options === null ? [] : decideOptions(options).warnings;
    return sentences.map((sentence) => `${fileName}:${line}: ${sentence}`);
  });
  return [...warnings, ...ofOptions];
}
