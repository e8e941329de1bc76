-- KEYS[1]: the last fence of the group; KEYS[2..]: the things. ARGV: now and life in us, holder, and how many ms a key is kept.
-- Answers {fence}, or {0, places of what is held by others...}. A thing is kept as holder:fence:end.
local now, life, holder = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local others, fence, same = {}, nil, true
for at = 2, #KEYS do
  local whose, its_fence, ends = string.match(redis.call('GET', KEYS[at]) or '', '(%x+):(%d+):(%d+)')
  if whose and tonumber(ends) > now then
    if whose ~= holder then
      others[#others + 1] = at - 2
    elseif fence and fence ~= tonumber(its_fence) then
      same = false
    end
    fence = fence or tonumber(its_fence)
  else
    same = false
  end
end
if #others > 0 then return { 0, unpack(others) } end
if not (fence and same) then
  -- Time alone makes it higher than whatever was forgotten.
  fence = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, now)
  redis.call('SET', KEYS[1], string.format('%d', fence), 'PX', ARGV[4])
end
local value = string.format('%s:%d:%d', holder, fence, now + life)
for at = 2, #KEYS do redis.call('SET', KEYS[at], value, 'PX', ARGV[4]) end
return { fence }
