-- Each row is a sentence that says what is wrong.
SELECT format('there are %s records, but at least %s were loaded', count(*), 1000 * :scale)
FROM usertable HAVING count(*) < 1000 * :scale;
