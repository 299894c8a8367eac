return function(db, own)
   local field = "field" .. sysbench.rand.uniform(0, 9)
   local key = own.common.key(own.common.popular())
   db:run("SELECT * FROM usertable WHERE ycsb_key = ?", key)
   db:run("UPDATE usertable SET " .. field .. " = ? WHERE ycsb_key = ?", own.common.value(), key)
end
