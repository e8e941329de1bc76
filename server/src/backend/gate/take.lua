-- KEYS[1]: the gate. ARGV: now in ms, then member and token of each taker.
-- Answers whether a row is known of every place that was given, and every request of these takers that has one; whether one is
-- known of every place behind them; then code, place and ordinal for each taker; nothing when the gate is closed.
local PLACE, NOT_STARTED, ENDED, PAUSED, SOLD_OUT, ALREADY_YOURS, OVER_LIMIT = 1, 2, 3, 4, 5, 6, 7

local gate = KEYS[1]
local terms = redis.call('HMGET', gate, 'state', 'server', 'total', 'limit', 'start', 'end', 'sale', 'highest', 'free', 'kept',
  'lacks')
if terms[1] ~= 'open' or terms[2] ~= server() then return {} end

local now = tonumber(ARGV[1])
local total, limit = tonumber(terms[3]), tonumber(terms[4])
local start_time, end_time, sale = tonumber(terms[5]), tonumber(terms[6]), terms[7]
local highest = tonumber(terms[8])

local shut = nil
if sale == 'ended' or (end_time >= 0 and now >= end_time) then
  shut = ENDED
elseif sale == 'paused' then
  shut = PAUSED
elseif start_time >= 0 and now < start_time then
  shut = NOT_STARTED
end

local fields = {}
for at = 2, #ARGV, 2 do fields[#fields + 1] = 'm' .. ARGV[at] end
local known = redis.call('HMGET', gate, unpack(fields))
-- A member may be there more than once.
local held, changed = {}, {}
local is_complete = tonumber(terms[10]) == highest - tonumber(terms[9])
if terms[11] then
  local lacking = {}
  for at = 2, #ARGV, 2 do lacking[#lacking + 1] = 'l' .. ARGV[at] end
  for _, lacks in ipairs(redis.call('HMGET', gate, unpack(lacking))) do
    if lacks then is_complete = false end
  end
end
local answers = { is_complete and 1 or 0, 0 }

local function answer(code, place, ordinal)
  answers[#answers + 1] = code
  answers[#answers + 1] = place
  answers[#answers + 1] = ordinal
end

local function take(field, token, first)
  local mine = held[field]
  if not mine then
    mine = places_of(first)
    held[field] = mine
  end
  local used = {}
  for _, it in ipairs(mine) do
    if it.token == token then return answer(PLACE, it.place, it.ordinal) end
    used[it.ordinal] = true
  end
  if #mine >= limit then
    if limit == 1 and #mine == 1 then return answer(ALREADY_YOURS, mine[1].place, mine[1].ordinal) end
    for _, it in ipairs(mine) do
      if it.kept == '0' then return answer(OVER_LIMIT, it.place, it.ordinal) end
    end
    return answer(OVER_LIMIT, 0, 0)
  end
  if shut then return answer(shut, 0, 0) end
  local place = pop_free(gate, total)
  if not place then
    if total >= 0 and highest >= total then return answer(SOLD_OUT, 0, 0) end
    highest = highest + 1
    place = highest
  end
  local ordinal = 1
  while used[ordinal] do ordinal = ordinal + 1 end
  mine[#mine + 1] = { ordinal = ordinal, place = place, token = token, kept = '0' }
  changed[field] = mine
  answer(PLACE, place, ordinal)
end

for at = 2, #ARGV, 2 do take('m' .. ARGV[at], ARGV[at + 1], known[at / 2]) end

local writes = { 'highest', string.format('%d', highest) }
for field, mine in pairs(changed) do
  writes[#writes + 1] = field
  writes[#writes + 1] = text_of(mine)
end
if #writes > 2 then redis.call('HSET', gate, unpack(writes)) end
answers[2] = tonumber(terms[10]) == highest - tonumber(redis.call('HGET', gate, 'free')) and 1 or 0
return answers
