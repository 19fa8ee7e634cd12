-- Mail from this machine and from the LAN is accepted at CONNECT, mail from elsewhere is not.
-- Globals: socket
local function reply(host, address)
  local conn = mt.connect(socket)
  if conn == nil then error("no connexion to " .. socket) end
  if mt.negotiate(conn, nil, nil, nil) ~= nil then error("negotiation failed") end
  if mt.conninfo(conn, host, address) ~= nil then error("CONNECT failed") end
  local got = mt.getreply(conn)
  mt.disconnect(conn)
  return got
end

for _, address in ipairs({ "127.0.0.1", "10.1.2.3", "192.168.255.254", "172.16.0.1", "169.254.1.1", "unspec" }) do
  if reply("host.example.net", address) ~= SMFIR_ACCEPT then error(address .. " was not accepted") end
end
for _, address in ipairs({ "203.0.113.7", "172.32.0.1", "11.0.0.1" }) do
  if reply("host.example.net", address) ~= SMFIR_CONTINUE then error(address .. " was not scanned") end
end
