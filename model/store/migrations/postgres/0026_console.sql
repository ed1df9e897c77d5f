-- What pages count
SELECT 1;
