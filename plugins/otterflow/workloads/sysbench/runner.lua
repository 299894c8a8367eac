-- Runs transactions of several types under sysbench 1.0, each drawn by its weight, and keeps each type's numbers.
--
-- `plan.lua` beside it has what the benchmark file says. Each script is a chunk that returns a function; it is called
-- with the database and with `own`, which has `scale`, the benchmark's variables, what `common.lua` returns if there is
-- one, and `client` and `clients`. A transaction that ends in a deadlock, a lock wait's end or a serialization failure
-- is rolled back and begun again, up to `max_tries` times. When a client ends it writes its numbers to a file of its own.

local ffi = require("ffi")
ffi.cdef [[
struct otterflow_time { long seconds; long nanoseconds; };
int clock_gettime(int clock, struct otterflow_time *time);
]]
local MONOTONIC, STEP = 1, math.log(1.01)
local plan = dofile("plan.lua")
local scripts, draw, own, db, numbers = {}, {}, nil, nil, {}
local moment = ffi.new("struct otterflow_time")

local function now_us()
   ffi.C.clock_gettime(MONOTONIC, moment)
   return tonumber(moment.seconds) * 1e6 + tonumber(moment.nanoseconds) / 1e3
end

-- The database, as a script sees it. A `?` in the text is replaced by the next value: a number, or a text in quotes.
local Database = {}
Database.__index = Database

local function literal(value)
   if value == nil then return "NULL" end
   if type(value) == "number" then return string.format("%.17g", value) end
   return "'" .. tostring(value):gsub("[\\']", "\\%0") .. "'"
end

local function filled(text, ...)
   local values, used = {...}, 0
   return (text:gsub("%?", function() used = used + 1; return literal(values[used]) end))
end

-- Runs a statement.
function Database:run(text, ...)
   return self.connection:query(filled(text, ...))
end

-- The first row's values, as texts; nothing where there is no row.
function Database:row(text, ...)
   return self.connection:query_row(filled(text, ...))
end

-- All rows, each a list of texts.
function Database:rows(text, ...)
   local found, rows = self:run(text, ...), {}
   for number = 1, found.nrows do
      rows[number] = {unpack(found:fetch_row(), 1, found.nfields)}
   end
   return rows
end

local function entry(name)
   return {name = name, transactions = 0, errors = 0, retries = 0, sum_us = 0, seen = {}}
end

function thread_init()
   db = setmetatable({connection = sysbench.sql.driver():connect()}, Database)
   own = {client = sysbench.tid, clients = sysbench.opt.threads, scale = plan.scale}
   for name, value in pairs(plan.variables) do own[name] = value end
   if plan.common then own.common = dofile("common.lua") end
   for place, script in ipairs(plan.scripts) do
      scripts[place] = assert(dofile(script.name .. ".lua"), script.name .. ".lua returns no function")
      numbers[place] = entry(script.name)
      for _ = 1, script.weight do draw[#draw + 1] = place end
   end
   if own.common and own.common.begin then own.common.begin(db, own) end
end

local function tried(script)
   local done, problem = pcall(script, db, own)
   if done then return true end
   if type(problem) ~= "table" or problem.errcode ~= sysbench.error.RESTART_EVENT then error(problem, 0) end
   db:run("ROLLBACK")
   return false
end

function event()
   local place = draw[sysbench.rand.uniform(1, #draw)]
   local number, begun = numbers[place], now_us()
   for try = 1, plan.max_tries do
      if tried(scripts[place]) then
         local latency = now_us() - begun
         local bucket = math.max(0, math.ceil(math.log(math.max(latency, 1)) / STEP))
         number.transactions = number.transactions + 1
         number.sum_us = number.sum_us + latency
         number.seen[bucket] = (number.seen[bucket] or 0) + 1
         return
      end
      if try < plan.max_tries then number.retries = number.retries + 1 end
   end
   number.errors = number.errors + 1
end

function thread_done()
   local file = assert(io.open("numbers." .. sysbench.tid, "w"))
   for _, number in ipairs(numbers) do
      for _, what in ipairs({"transactions", "errors", "retries", "sum_us"}) do
         file:write(string.format("%s %s %.0f\n", number.name, what, number[what]))
      end
      for bucket, times in pairs(number.seen) do
         file:write(string.format("%s seen_%d %d\n", number.name, bucket, times))
      end
   end
   file:write("client ended 1\n")
   file:close()
   db.connection:disconnect()
end
