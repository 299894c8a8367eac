return function(db, own)
   local key = own.common.key(own.common.popular())
   db:run("SELECT * FROM usertable WHERE ycsb_key >= ? ORDER BY ycsb_key LIMIT ?", key, sysbench.rand.uniform(1, 100))
end
