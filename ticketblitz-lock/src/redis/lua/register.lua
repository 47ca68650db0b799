-- An event that is loaded is looked at first. KEYS: as look.lua. ARGV: ms to keep, event.
redis.call('ZADD', KEYS[1], 0, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'DONE' }
