-- KEYS[1]: the caller. ARGV: now, and how long until one more, in us; how many at once.
-- Kept is when the whole burst is there again. Answers 0, or how many us to wait.
local now, every, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + every
local wait = full - burst * every - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
return 0
