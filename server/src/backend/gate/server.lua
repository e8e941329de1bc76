-- Which server this is, and since which failover it leads: any other may lack some of what this one was told.
local function server()
  local process = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  return process .. '/' .. history
end

-- Lets Redis forget a gate a week after its sale has ended: a forgotten gate is closed, and rebuilt where it is asked for.
local WEEK = 7 * 24 * 3600 * 1000
local function keep(gate)
  local terms = redis.call('HMGET', gate, 'end', 'sale')
  local end_time, left = tonumber(terms[1] or '-1'), nil
  if terms[2] == 'ended' then
    left = 0
  elseif end_time >= 0 then
    local time = redis.call('TIME')
    left = math.max(end_time - tonumber(time[1]) * 1000, 0)
  end
  if left then
    redis.call('PEXPIRE', gate, string.format('%d', left + WEEK))
  else
    redis.call('PERSIST', gate)
  end
end

-- A member's places, as they are kept in one field: ordinal:place:token:kept;...
local function places_of(text)
  local places = {}
  for ordinal, place, token, kept in string.gmatch(text or '', '(%d+):(%d+):([%x-]+):(%d);') do
    places[#places + 1] = { ordinal = tonumber(ordinal), place = tonumber(place), token = token, kept = kept }
  end
  return places
end

local function text_of(places)
  local parts = {}
  for _, it in ipairs(places) do
    parts[#parts + 1] = string.format('%d:%d:%s:%s;', it.ordinal, it.place, it.token, it.kept)
  end
  return table.concat(parts)
end

-- A member has a row whose request the gate does not know of. Whether there is such a member is kept by itself: where there is
-- none, nobody is looked for.
local function lack(gate, member)
  redis.call('HSET', gate, 'lacks', '1', 'l' .. member, '1')
end

-- Places below the highest that nobody has are kept as ranges, newest last: f1 = '3-7', f2 = '12-12'.
local function push_free(gate, low, high)
  local range = redis.call('HINCRBY', gate, 'ranges', 1)
  redis.call('HSET', gate, 'f' .. range, string.format('%d-%d', low, high))
  redis.call('HINCRBY', gate, 'free', high - low + 1)
end

local function pop_free(gate, total)
  while true do
    local range = tonumber(redis.call('HGET', gate, 'ranges'))
    if range == 0 then return nil end
    local field = 'f' .. range
    local low, high = string.match(redis.call('HGET', gate, field), '(%d+)-(%d+)')
    low, high = tonumber(low), tonumber(high)
    if total < 0 or low <= total then
      if low == high then
        redis.call('HDEL', gate, field)
        redis.call('HINCRBY', gate, 'ranges', -1)
      else
        redis.call('HSET', gate, field, string.format('%d-%d', low + 1, high))
      end
      redis.call('HINCRBY', gate, 'free', -1)
      return low
    end
    -- The total has shrunk below it.
    redis.call('HDEL', gate, field)
    redis.call('HINCRBY', gate, 'ranges', -1)
    redis.call('HINCRBY', gate, 'free', low - high - 1)
  end
end

