Story: Somebody joins
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales
Then
  alice is active
  alice holds employee, sales
  at chat alice has an account
  at crm alice has an account in sellers
  at git alice has no account
  alice's timeline says joiner

Story: A mover loses what the old department gave, and keeps the rest
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-04-01 09:00
  hr changes alice: department Engineering
Then
  alice holds employee, engineer, oncall
  at chat alice has an account
  at crm alice has no account
  at git alice has an account in engineers, oncall
  alice's timeline says joiner, mover

Story: A leaver is off everywhere, and gone from chat after thirty days
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Engineering
On 2027-05-31 17:00
  hr changes alice: active false
Then
  alice is leaver
  alice holds nothing
  at chat alice's account is inactive
  at git alice's account is inactive
On 2027-06-29 17:00
Then
  at chat alice's account is inactive
On 2027-06-30 17:01
Then
  at chat alice has no account
  at git alice's account is inactive
  alice's timeline says joiner, leaver

Story: Somebody known before the first day gets nothing before it
Configuration: company

On 2027-02-01 10:00
  hr pushes bob: department Sales, active false, start 2027-03-01
Then
  bob is prehire
  bob holds nothing
  at chat bob has no account
On 2027-02-28 23:59
Then
  at chat bob has no account
On 2027-03-01 00:00
Then
  # The start date lets nobody in whom the source calls inactive.
  bob is leaver
  at chat bob has no account
On 2027-03-01 07:30
  hr changes bob: active true
Then
  bob is active
  at chat bob has an account

Story: The first day comes by itself
Configuration: company

On 2027-02-01 10:00
  hr pushes bob: department Engineering, start 2027-03-01
Then
  bob is prehire
  at git bob has no account
On 2027-03-01 00:00
Then
  bob is active
  at git bob has an account in engineers, oncall
  bob's timeline says prehire, joiner

Story: The last day comes by itself
Configuration: company

On 2027-01-10 08:00
  hr pushes carol: department Sales, end 2027-06-30
Then
  carol is active
On 2027-06-29 23:59
Then
  at crm carol has an account in sellers
On 2027-06-30 00:00
Then
  carol is leaver
  at crm carol has no account
  at chat carol's account is inactive

Story: The first day is put off
Configuration: company

On 2027-02-01 10:00
  hr pushes bob: department Sales, start 2027-03-01
On 2027-02-20 10:00
  hr changes bob: start 2027-04-01
On 2027-03-01 00:00
Then
  bob is prehire
  at chat bob has no account
On 2027-04-01 00:00
Then
  bob is active
  at chat bob has an account

Story: Somebody who never starts leaves no trace at any application
Configuration: company

On 2027-02-01 10:00
  hr pushes bob: department Sales, start 2027-03-01
On 2027-02-20 10:00
  hr deletes bob
Then
  bob is leaver
On 2027-03-02 10:00
Then
  at chat bob has no account
  at crm bob has no account

Story: Deleted at the source is a leaver
Configuration: company

On 2027-03-01 08:00
  hr pushes dave: department Engineering
On 2027-03-05 08:00
  hr deletes dave
Then
  dave is leaver
  at git dave's account is inactive
  at chat dave's account is inactive

Story: Who comes back is the same person with the same accounts
Configuration: company

On 2027-03-01 08:00
  hr pushes dave: department Engineering
On 2027-03-05 08:00
  hr changes dave: active false
On 2027-03-20 08:00
  hr changes dave: active true
Then
  dave is active
  at git dave has the account of before in engineers, oncall
  at chat dave has the account of before
  dave's timeline says joiner, leaver, rehire

Story: The source deletes somebody and creates them anew with another id
Configuration: company

On 2027-03-01 08:00
  hr pushes dave: department Engineering
On 2027-03-05 08:00
  hr deletes dave
On 2027-03-05 08:05
  hr pushes dave: department Engineering
Then
  dave is active
  at git dave has the account of before in engineers, oncall
  dave's timeline says joiner, leaver, rehire

Story: Somebody new with the name of one who left is somebody else
Configuration: company

On 2027-03-01 08:00
  hr pushes dave: department Engineering, externalId 17
On 2027-03-05 08:00
  hr deletes dave
On 2027-09-05 08:05
  hr pushes dave: department Sales, externalId 4711
Then
  there are 2 people called dave
  at crm the account of dave has externalId 4711

Story: A new name is no new person
Configuration: company

On 2027-03-01 08:00
  hr pushes eve: department Engineering
On 2027-04-01 08:00
  hr renames eve to eva
Then
  eva is active
  eve is nobody that the hub knows
  at git eva has an account in engineers, oncall
  at git eve has no account
  at chat eve has no account

Story: A deny rule beats the rule that gives, and what is inherited goes with it
Configuration: company

On 2027-03-01 08:00
  hr pushes frank: department Engineering, userType Contractor
Then
  frank holds employee
  at git frank has no account
On 2027-03-02 08:00
  hr changes frank: userType Employee
Then
  frank holds employee, engineer, oncall

Story: The fact that a role rests on goes away
Configuration: company

On 2027-03-01 08:00
  hr pushes frank: department Sales
On 2027-03-02 08:00
  hr changes frank: department
Then
  frank holds employee
  at crm frank has no account
  at chat frank has an account

Story: Mass leavers are held beyond the source's limit
Configuration: company

On 2027-03-01 08:00
  hr pushes ann: department Sales
  hr pushes ben: department Sales
  hr pushes cleo: department Sales
  hr pushes dora: department Sales
On 2027-03-05 08:00
  hr changes ann: active false
  hr changes ben: active false
  hr changes cleo: active false
  hr changes dora: active false
Then
  at crm ann has no account
  at crm ben has no account
  # The limit of this source is two an hour.
  cleo is leaver
  at crm cleo has an account in sellers
  at chat dora has an account

Story: Leavers within the limit go one after the other
Configuration: company

On 2027-03-01 08:00
  hr pushes ann: department Sales
  hr pushes ben: department Sales
  hr pushes cleo: department Sales
On 2027-03-05 08:00
  hr changes ann: active false
  hr changes ben: active false
On 2027-03-05 09:30
  hr changes cleo: active false
Then
  at crm ann has no account
  at crm ben has no account
  at crm cleo has no account
