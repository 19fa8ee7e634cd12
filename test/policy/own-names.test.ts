import { expect, test } from "bun:test";
import { ownNames } from "../../src/policy/own-names.ts";
import { isPublicSuffix } from "../../src/policy/public-suffix.ts";

test.each([
  [["mail.example.org"], ["example.org"]],
  [["a.mail.example.org"], ["mail.example.org"]],
  [["example.org"], ["example.org"]],
  [["mail.co.uk"], ["mail.co.uk"]],
  [["mail.firm.co.uk"], ["firm.co.uk"]],
  [["box.dyndns.org"], ["box.dyndns.org"]],
  [["x.github.io"], ["x.github.io"]],
  [["mail.city.kobe.jp"], ["city.kobe.jp"]],
  [["mail.other.kobe.jp"], ["mail.other.kobe.jp"]],
  [["mail.lab.example"], ["lab.example"]],
  [["MAIL.Example.Org."], ["example.org"]],
  [["mail", "mail.example.org"], ["example.org"]],
  [["mail", ""], []],
  [
    ["in.example.org", "mx.other.example"],
    ["example.org", "other.example"],
  ],
])("the domains of %j are %j", (names, domains) => {
  expect([...ownNames(names, isPublicSuffix).domains]).toEqual(domains);
});

test("the names are compared without their last dot, in lower case", () => {
  expect([...ownNames(["Mail", "MAIL.example.org."], isPublicSuffix).hosts]).toEqual([
    "mail",
    "mail.example.org",
  ]);
});
