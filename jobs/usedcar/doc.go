// Package usedcar generates the traffic of a used-car marketplace: visitors who see listings, look at some, and call
// about a few.
//
// Its shape: users after Zipf 1.1, 40 brands and 800 series after Zipf 1.05, sessions with gaps of 30 minutes, a funnel
// impression : view : favorite : im : call of 1000 : 60 : 4 : 3 : 1.5. It is dirty as real logs are: 2 % of events are late
// by more than 10 minutes and 0.2 % by more than a day, 0.5 % are appended twice, 0.1 % of the devices are crawlers that
// make 15 % of the rows, 1 % are malformed, some clocks are wrong, some listings change their price, and 15 % of the
// devices log in only later.
package usedcar
