/** The anti-virus test file in a mail of its own, to see whether a database and the way to it work. */

/** Put together here, so that no scanner takes this program for a virus. */
function testVirus(): string {
  return ["X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*"].join("");
}

/** A mail with the test file in an encoded attachment, unlike any other: what was clean once is not looked at again. */
export function canaryMail(): string {
  const unique = crypto.randomUUID();
  const boundary = `canary-${unique}`;
  return [
    "Received: by clamav-milter",
    "From: <clamav-milter-canary@localhost>",
    "Subject: clamav-milter-canary",
    `Message-ID: <${unique}@localhost>`,
    "MIME-Version: 1.0",
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "",
    `--${boundary}`,
    "Content-Type: text/plain",
    "",
    `A test of the virus scanner: ${unique}`,
    `--${boundary}`,
    'Content-Type: application/octet-stream; name="clamav-milter-canary.com"',
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="clamav-milter-canary.com"',
    "",
    Buffer.from(testVirus(), "latin1").toString("base64"),
    `--${boundary}--`,
    "",
  ].join("\r\n");
}
