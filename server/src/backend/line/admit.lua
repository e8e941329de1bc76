-- KEYS[5]: the turn. ARGV: how many, until when in us, how many ms the turn is remembered. Answers who was let in.
local before = redis.call('GET', KEYS[5])
local members = {}
if before then
  for member in string.gmatch(before, '%x+') do members[#members + 1] = member end
  return members
end
tidy(1000)
local most = tonumber(ARGV[3])
-- Of a crowd that went away some are passed over now, and the rest at the next turns.
for _ = 1, most + 1000 do
  if #members >= most then break end
  local next = redis.call('ZPOPMIN', waiting)
  if #next == 0 then break end
  local member = next[1]
  local gone = is_silent(member)
  redis.call('ZREM', seen, member)
  if not gone then
    redis.call('ZADD', admitted, ARGV[4], member)
    members[#members + 1] = member
  end
end
if #members > 0 then keep(admitted, tonumber(ARGV[4]) - now) end
redis.call('SET', KEYS[5], table.concat(members, ','), 'PX', ARGV[5])
return members
