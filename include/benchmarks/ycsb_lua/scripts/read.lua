return function(db, own)
   db:run("SELECT * FROM usertable WHERE ycsb_key = ?", own.common.key(own.common.popular()))
end
