-- KEYS: the things. ARGV: now and life in us, holder, and how many ms a key is kept. Answers 1, or 0 when one is not the holder's.
local now, life, holder = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local fences = {}
for at = 1, #KEYS do
  local whose, fence, ends = string.match(redis.call('GET', KEYS[at]) or '', '(%x+):(%d+):(%d+)')
  if whose ~= holder or tonumber(ends) <= now then return 0 end
  fences[at] = fence
end
for at = 1, #KEYS do
  redis.call('SET', KEYS[at], string.format('%s:%s:%d', holder, fences[at], now + life), 'PX', ARGV[4])
end
return 1
