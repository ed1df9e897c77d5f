Story: Away on leave, and back with everything as it was
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-03-10 08:00
  hr changes alice: leaveFrom 2027-04-01, leaveUntil 2027-07-01
Then
  alice is active
# In Berlin the first of April begins at ten in the evening, UTC, of the day before.
On 2027-03-31 21:59
Then
  alice is active
On 2027-03-31 22:00
Then
  alice is leave
  alice holds employee, sales
  at chat alice's account is inactive
  at crm alice's account is inactive
# Longer away than accounts of leavers are kept: hers are.
On 2027-06-15 08:00
Then
  at chat alice's account is inactive
  at crm alice's account is inactive
On 2027-06-30 22:00
Then
  alice is active
  at chat alice has the account of before
  at crm alice has the account of before in sellers

Story: The HR system says that somebody is on leave, and calls them inactive
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-03-02 08:00
  hr changes alice: status parental leave, active false
Then
  alice is leave
  at chat alice's account is inactive
On 2027-09-02 08:00
  hr changes alice: status, active true
Then
  alice is active
  at crm alice has the account of before in sellers

Story: Somebody on leave leaves for good
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, leaveFrom 2027-04-01
On 2027-05-01 08:00
Then
  alice is leave
On 2027-05-02 08:00
  hr changes alice: last 2027-05-31
On 2027-05-31 21:59
Then
  alice is leave
On 2027-05-31 22:00
Then
  alice is leaver
  at crm alice has no account
  at chat alice's account is inactive
On 2027-07-01 08:00
Then
  at chat alice has no account

Story: Somebody who joins while on leave gets no account before they are back
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, leaveFrom 2027-02-01, leaveUntil 2027-04-01
Then
  alice is leave
  at chat alice has no account
On 2027-04-01 08:00
Then
  alice is active
  at chat alice has an account

Story: Somebody moves while they are away
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, leaveFrom 2027-03-10, leaveUntil 2027-05-01
On 2027-04-01 08:00
  hr changes alice: department Finance
Then
  alice holds employee
  at crm alice has no account
  at chat alice's account is inactive
On 2027-05-02 08:00
Then
  at chat alice has the account of before
  at crm alice has no account

Story: Leave where the configuration lets access be kept
Configuration: absence-kept

On 2027-03-01 08:00
  hr pushes alice: leaveFrom 2027-03-10, leaveUntil 2027-05-01
On 2027-03-12 08:00
Then
  alice is leave
  at chat alice has an account

Story: The last day is a day of access, until midnight where the company is
Configuration: absence

On 2027-06-01 08:00
  hr pushes alice: department Sales, last 2027-06-30
On 2027-06-30 21:59
Then
  alice is active
On 2027-06-30 22:00
Then
  alice is leaver
  at crm alice has no account

Story: A contract is extended before it ends
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, last 2027-06-30
On 2027-06-20 08:00
  hr changes alice: last 2027-12-31
On 2027-07-01 08:00
Then
  alice is active
  at crm alice has the account of before in sellers
On 2028-01-01 08:00
Then
  alice is leaver

Story: A contract is extended when it has ended already
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, last 2027-06-30
On 2027-07-01 08:00
Then
  alice is leaver
On 2027-07-03 08:00
  hr changes alice: last 2027-12-31
Then
  alice is active
  at chat alice has the account of before
  at crm alice has an account in sellers

Story: An end before the start is a contradiction, and takes nothing
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, start 2027-01-01
On 2027-03-02 08:00
  hr changes alice: start 2027-12-01, last 2027-02-01
Then
  alice is active
  at crm alice has an account in sellers
  alice has the finding before

Story: From before the first day until nothing personal is left
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales, start 2027-04-01, last 2027-12-31
Then
  alice is prehire
On 2027-04-01 08:00
Then
  alice is active
  at crm alice has an account in sellers
On 2028-01-01 08:00
Then
  alice is leaver
  at crm alice has no account
  at chat alice's account is inactive
On 2028-02-05 08:00
Then
  at chat alice has no account
# HR still describes her: nobody is erased whom a source knows.
On 2028-06-05 08:00
Then
  alice is leaver
  hr deletes alice
On 2028-06-06 08:00
Then
  alice is nobody that the hub knows

Story: An erased person who comes back is somebody new
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-03-05 08:00
  hr deletes alice
On 2027-05-05 08:00
  the operator erases alice
Then
  alice is nobody that the hub knows
On 2027-06-01 08:00
  hr pushes alice: department Sales
Then
  alice is active
  alice's timeline says joiner

Story: Nobody is erased who still has access
Configuration: absence

On 2027-03-01 08:00
  hr pushes alice: department Sales
  the operator erases alice
  it is refused: alice
Then
  alice is active
  at crm alice has an account in sellers
