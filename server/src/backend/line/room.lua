-- KEYS: the last ticket, who waits by ticket, when each was seen, until when each is in. ARGV[1], ARGV[2]: now and patience in us.
local tickets, waiting, seen, admitted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, patience = tonumber(ARGV[1]), tonumber(ARGV[2])

-- Forgets whose time is over: some at a time, so that a crowd that went away holds up nobody.
local function tidy(most)
  local silent = redis.call('ZRANGEBYSCORE', seen, '-inf', string.format('%d', now - patience), 'LIMIT', 0, most)
  if #silent > 0 then
    redis.call('ZREM', waiting, unpack(silent))
    redis.call('ZREM', seen, unpack(silent))
  end
  local over = redis.call('ZRANGEBYSCORE', admitted, '-inf', string.format('%d', now), 'LIMIT', 0, most)
  if #over > 0 then redis.call('ZREM', admitted, unpack(over)) end
end

-- Lets Redis forget a key once it has not been written for so long that all in it is over, and an hour more.
local HOUR = 3600 * 1000
local function keep(key, microseconds)
  local least = math.ceil(microseconds / 1000)
  if redis.call('PTTL', key) < least then redis.call('PEXPIRE', key, string.format('%d', least + HOUR)) end
end

local function is_silent(member)
  local last = redis.call('ZSCORE', seen, member)
  return not last or tonumber(last) <= now - patience
end

-- {2, until} in the room, {1, ahead} in the line, {0, 0} nowhere.
local function standing(member)
  local ends = redis.call('ZSCORE', admitted, member)
  if ends and tonumber(ends) > now then return { 2, tonumber(ends) } end
  local ahead = redis.call('ZRANK', waiting, member)
  if not ahead then return { 0, 0 } end
  if is_silent(member) then
    redis.call('ZREM', waiting, member)
    redis.call('ZREM', seen, member)
    return { 0, 0 }
  end
  redis.call('ZADD', seen, string.format('%d', now), member)
  keep(waiting, patience)
  keep(seen, patience)
  return { 1, ahead }
end

