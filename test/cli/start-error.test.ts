import { expect, test } from "bun:test";
import { EXIT, StartError, startErrorText } from "../../src/cli/start-error.ts";

test("the exit statuses are those of sysexits.h", () => {
  expect(EXIT).toEqual({
    USAGE: 64,
    NOINPUT: 66,
    UNAVAILABLE: 69,
    SOFTWARE: 70,
    OSERR: 71,
    CANTCREAT: 73,
    TEMPFAIL: 75,
    NOPERM: 77,
    CONFIG: 78,
  });
});

test("an error is one line with the program's name, whatever it is about", () => {
  const error = new StartError("X", EXIT.CONFIG, "file\nname\u001b[31m: wrong");
  expect(startErrorText(error)).toBe("clamav-milter: file?name?[31m: wrong");
  expect(error).toMatchObject({ code: "X", exitCode: 78 });
});
