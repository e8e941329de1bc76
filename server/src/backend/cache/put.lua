-- KEYS[1]: the key. ARGV: version, now in ms, what to keep, how many ms. Answers 1, or 0 when a newer version is kept.
-- What is kept begins with version:end:kind and a line feed; the kind is v for a value, f for a version that was forgotten.
local version, ends = string.match(redis.call('GETRANGE', KEYS[1], 0, 60), '^(-?%d+):(%d+):')
if version and tonumber(ends) > tonumber(ARGV[2]) then
  if tonumber(version) > tonumber(ARGV[1]) then return 0 end
  if version == ARGV[1] and string.match(ARGV[3], '^[^\n]*:f\n') then return 0 end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
